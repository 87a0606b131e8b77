import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '../../core/errors.ts';
import { directoriesIn, pathsOf } from '../../system/directories.ts';
import { writeFileAtomic } from '../../system/files.ts';
import { makeDirectories } from '../../system/make-directories.ts';
import { run } from '../../system/run.ts';
import { lookUpGroup } from '../../system/users.ts';
import type { Context } from '../command.ts';
import { isAnswered } from '../find-socket.ts';
import { completionScript, SHELLS } from '../completion.ts';
import type { Layout } from './layout.ts';
import { manualPage } from './manual.ts';
import { copyProgram, type Program } from './program.ts';
import {
  directoryStep,
  exists,
  fileStep,
  linkStep,
  NOTHING,
  readText,
  type Ledger,
  type Manifest,
  type Step,
} from './steps.ts';
import { TEMPORARY_FILES, unitFiles } from './units.ts';
import { userSteps } from './users.ts';

export const UNITS = ['gateway-helper.service', 'gateway.service'] as const;
const START_TIMEOUT_MS = 320_000;

export interface InstallOptions {
  readonly layout: Layout;
  readonly program: Program;
  /** Users and systemd are this machine's: false when everything goes into another folder than `/`. */
  readonly isHere: boolean;
  readonly isStarted: boolean;
}

/** Everything that an installation is, in the order in which it is made. */
export function installSteps(options: InstallOptions, ledger: Ledger, { commands }: Context): Step[] {
  const { layout, program, isHere } = options;
  const command = join(layout.current, 'bin/gateway');
  const file = (path: string, content: string): Step => fileStep(layout, path, content, ledger);
  const units = Object.entries(unitFiles(command));
  return [
    programStep(layout, program),
    ...(isHere ? userSteps(ledger) : []),
    linkStep(layout, layout.current, join('versions', program.id), ledger),
    linkStep(layout, layout.command, command, ledger),
    ...(isHere ? [directoriesStep()] : []),
    directoryStep(layout, layout.resolverFiles, ledger),
    file(layout.temporaryFiles, TEMPORARY_FILES),
    ...units.map(([name, content]) => file(join(layout.units, name), content)),
    ...SHELLS.map((shell) => file(layout.completions[shell], completionScript(shell, commands))),
    file(layout.manual, manualPage(commands, program.id)),
    ...(isHere ? systemdSteps(options) : []),
  ];
}

export function programStep(layout: Layout, program: Program): Step {
  const target = layout.at(join(layout.versions, program.id));
  return {
    say: `copy the program to ${join(layout.versions, program.id)}`,
    isDone: () => exists(target),
    run: async (signal) => {
      await run(['mkdir', '-p', layout.at(layout.versions)], { signal });
      await copyProgram(program, target, signal);
    },
  };
}

function directoriesStep(): Step {
  const directories = directoriesIn(undefined);
  return {
    say: `make ${Object.values(directories).join(', ')}`,
    isDone: async () => (await Promise.all(Object.values(directories).map(exists))).every(Boolean),
    run: async () => makeDirectories(directories, await lookUpGroup('gateway')),
  };
}

/** Without systemd the gateway is started by `gateway up`. */
export function isSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

function systemdSteps({ isStarted }: InstallOptions): Step[] {
  if (!isSystemd()) return [];
  const ask = async (verb: string): Promise<boolean> => {
    const { stdout } = await run(['systemctl', verb, 'gateway.service'], {
      signal: AbortSignal.timeout(60_000),
      timeoutMs: 60_000,
      accept: [0, 1, 3, 4],
    });
    return ['enabled', 'active'].includes(stdout.trim());
  };
  const enable: Step = {
    say: 'enable gateway.service, so that it starts with the machine',
    isDone: () => ask('is-enabled'),
    run: async (signal) => {
      await run(['systemctl', 'daemon-reload'], { signal, timeoutMs: 60_000 });
      await run(['systemctl', 'enable', 'gateway.service'], { signal, timeoutMs: 60_000 });
    },
  };
  const start: Step = {
    say: 'start gateway.service',
    isDone: () => ask('is-active'),
    run: async (signal) => {
      await refuseStartedByHand();
      await run(['systemctl', 'start', 'gateway.service'], { signal, timeoutMs: START_TIMEOUT_MS });
    },
  };
  return isStarted ? [enable, start] : [enable];
}

/** One that `gateway up` started before holds the sockets. */
async function refuseStartedByHand(): Promise<void> {
  const { apiSocket } = pathsOf(directoriesIn(undefined));
  if (!(await isAnswered(apiSocket))) return;
  throw new GatewayError(`a gateway that was started by hand runs already (it answers on ${apiSocket})`, {
    code: 'AlreadyRunning',
    retry: 'when-changed',
    hint: 'end it with the program that started it: bin/gateway down; then: gateway install',
  });
}

/** What earlier runs made is still ours. */
export async function openLedger(layout: Layout): Promise<Ledger & { readonly manifest: Manifest }> {
  const found = await readText(layout.at(layout.manifest));
  const kept = found === undefined ? NOTHING : (JSON.parse(found) as Manifest);
  const manifest = { files: [...kept.files], directories: [...kept.directories], users: [...kept.users] };
  return {
    manifest,
    add: async (kind, name) => {
      if (manifest[kind].includes(name)) return;
      manifest[kind].push(name);
      await writeFileAtomic(layout.at(layout.manifest), `${JSON.stringify(manifest, null, 1)}\n`, {
        mode: 0o644,
      });
    },
  };
}

/** Runs what is not done yet; resolves with what was done, as sentences. */
export async function takeSteps(steps: readonly Step[], { progress, signal }: Context): Promise<string[]> {
  const done: string[] = [];
  for (const step of steps) {
    if (await step.isDone()) continue;
    progress(step.say);
    await step.run(signal);
    done.push(step.say);
  }
  return done;
}

export function demandRoot(command: string): void {
  if (process.geteuid?.() === 0) return;
  throw new GatewayError(`gateway ${command} needs root: it writes outside of its own folders`, {
    code: 'PermissionDenied',
    retry: 'never',
    hint: `sudo gateway ${command}`,
  });
}
