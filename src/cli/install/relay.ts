import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../core/errors.ts';
import { askControl } from '../../relay/control.ts';
import { relayPlaces } from '../../relay/places.ts';
import { detach, run } from '../../system/run.ts';
import { type Context, EXIT, type Input } from '../command.ts';
import { isAnswered } from '../find-socket.ts';
import { drawInvite } from '../commands/relay-machine.ts';
import { show } from '../report.ts';
import { demandRoot, isSystemd, openLedger, programStep, takeSteps } from './install.ts';
import { type Layout, layoutIn } from './layout.ts';
import { examineProgram } from './program.ts';
import { ownFolder } from './run.ts';
import { fileStep, linkStep, type Ledger, type Step } from './steps.ts';
import { RELAY_UNIT, relayUnit } from './units.ts';
import { userSteps } from './users.ts';

const ANSWER_MS = 60_000;

/** `gateway relay install`: `words` are those of `relay up`, each checked, none with a space in it. */
export async function installRelay(
  input: Input,
  words: readonly string[],
  context: Context,
): Promise<number> {
  const top = resolve(input.text('destdir') ?? '/');
  const isHere = top === '/';
  if (isHere) demandRoot('relay install');
  const layout = layoutIn(top);
  const program = await examineProgram(ownFolder());
  const ledger = await openLedger(layout);
  const command = join(layout.current, 'bin/gateway');
  const done = await takeSteps(
    [
      programStep(layout, program),
      ...(isHere ? userSteps(ledger) : []),
      linkStep(layout, layout.current, join('versions', program.id), ledger),
      linkStep(layout, layout.command, command, ledger),
      ...unitSteps(layout, command, words, ledger, isHere),
    ],
    context,
  );
  const invite = isHere ? await firstInvite(context.signal) : null;
  show(context, { version: program.id, done, invite }, () =>
    [...done, ...(done.length === 0 ? ['Everything is in place already.'] : [])].join('\n'),
  );
  if (invite !== null && !context.isJson) await drawInvite(invite, context);
  return EXIT.ok;
}

/** Started again when anything changed: visitors do not notice, what carries them is in units of its own. */
function unitSteps(
  layout: Layout,
  command: string,
  words: readonly string[],
  ledger: Ledger,
  isHere: boolean,
): Step[] {
  const file = fileStep(layout, join(layout.units, RELAY_UNIT), relayUnit(command, words), ledger);
  if (!isHere) return [file];
  if (!isSystemd()) return [detachStep(command, words)];
  let isFresh = false;
  const write: Step = {
    ...file,
    run: async (signal) => {
      isFresh = true;
      await file.run(signal);
    },
  };
  const start: Step = {
    say: `start ${RELAY_UNIT}, now and with the machine`,
    isDone: async () => {
      const options = { signal: AbortSignal.timeout(60_000), accept: [0, 3, 4] };
      const { stdout } = await run(['systemctl', 'is-active', RELAY_UNIT], options);
      return !isFresh && stdout.trim() === 'active';
    },
    run: async (signal) => {
      await run(['systemctl', 'daemon-reload'], { signal, timeoutMs: 60_000 });
      await run(['systemctl', 'enable', RELAY_UNIT], { signal, timeoutMs: 60_000 });
      await run(['systemctl', 'restart', RELAY_UNIT], { signal, timeoutMs: 120_000 });
    },
  };
  return [write, start];
}

/** In a session of its own, as `gateway up` starts its parts; nobody starts it with the machine. */
function detachStep(command: string, words: readonly string[]): Step {
  const { directories, controlSocket } = relayPlaces(undefined);
  return {
    say: 'start the relay; without systemd it does not start with the machine',
    isDone: () => isAnswered(controlSocket),
    run: async () => {
      await mkdir(directories.run, { recursive: true });
      const logFile = join(directories.run, 'relay.log');
      await detach([command, 'relay', 'up', ...words], { logFile, cwd: '/' });
    },
  };
}

/** `null` when a home has joined. */
async function firstInvite(signal: AbortSignal): Promise<string | null> {
  const { controlSocket } = relayPlaces(undefined);
  const deadline = Date.now() + ANSWER_MS;
  for (;;) {
    try {
      const homes = (await askControl(controlSocket, { ask: 'homes' })) as unknown[];
      return homes.length > 0 ? null : String(await askControl(controlSocket, { ask: 'invite' }));
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'RelayUnreachable') throw error;
      if (Date.now() > deadline) throw notUp(error);
      await sleep(200, undefined, { signal });
    }
  }
}

function notUp(cause: GatewayError): GatewayError {
  return new GatewayError(`the relay was started, but does not answer after ${ANSWER_MS / 1000} s`, {
    code: 'RelayUnreachable',
    hint: isSystemd() ? `see what it says: journalctl -u ${RELAY_UNIT}` : 'see /run/gateway-relay/relay.log',
    cause,
  });
}
