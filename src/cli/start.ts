import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { directoriesIn, pathsOf } from '../system/directories.ts';
import { makeDirectories } from '../system/make-directories.ts';
import { type Argv, detach, run } from '../system/run.ts';
import { lookUpGroup, lookUpUser } from '../system/users.ts';
import { type Client, createClient } from './client.ts';
import type { Context } from './command.ts';
import { isAnswered } from './find-socket.ts';

/** A small machine that is busy needs half of it; one that ended is noticed at once. */
const START_WAIT_MS = 60_000;
/** TimeoutStartSec of our units, and a little. */
const UNIT_TIMEOUT_MS = 320_000;
/** Our users; see docs/reference/cli.md, `gateway up`. */
export const USERADD: Readonly<Record<string, string>> = {
  'gateway-tor': 'useradd --system --user-group --no-create-home --shell /usr/sbin/nologin gateway-tor',
  'gateway-edge': 'useradd --system --user-group --no-create-home --shell /usr/sbin/nologin gateway-edge',
  gateway:
    'useradd --system --user-group --no-create-home --shell /usr/sbin/nologin --groups gateway-tor gateway',
};

/**
 * Starts what does not run of helper and daemon, as processes of their own that outlive this command, and waits until
 * they answer.
 */
export async function startGateway(context: Context, root: string | undefined): Promise<Client> {
  const directories = directoriesIn(root);
  const paths = pathsOf(directories);
  if (process.geteuid?.() !== 0) {
    throw new GatewayError('starting the gateway needs root: it makes network namespaces', {
      code: 'PermissionDenied',
      hint: 'sudo gateway up',
    });
  }
  if (isInstalled(root)) return startUnits(context);
  await checkUsers();
  await makeDirectories(directories, await lookUpGroup('gateway'));
  await mkdir(paths.logs, { recursive: true, mode: 0o750 });
  if (!(await isAnswered(paths.helperSocket))) {
    context.progress('starting the helper');
    const pid = await spawnPart(['helper'], root, paths.logs, []);
    await writeFile(paths.helperPid, `${pid}\n`, { mode: 0o644 });
    await waitUntilAnswered('helper', paths.helperSocket, pid, paths.logs, context);
  }
  if (await isAnswered(paths.apiSocket)) return createClient(paths.apiSocket);
  context.progress('starting the daemon');
  const pid = await spawnPart(['daemon', ...PATIENT], root, paths.logs, AS_GATEWAY);
  await waitUntilAnswered('daemon', paths.apiSocket, pid, paths.logs, context);
  return createClient(paths.apiSocket);
}

/** `gateway install` has been here, and systemd is process 1. */
export function isInstalled(root: string | undefined): boolean {
  return (
    root === undefined &&
    existsSync('/run/systemd/system') &&
    existsSync('/etc/systemd/system/gateway.service')
  );
}

async function startUnits({ progress, signal }: Context): Promise<Client> {
  progress('starting gateway.service');
  await run(['systemctl', 'start', 'gateway.service'], { signal, timeoutMs: UNIT_TIMEOUT_MS });
  return createClient(pathsOf(directoriesIn(undefined)).apiSocket);
}

/** This command asks for `up` or `down` at once; until then the daemon must not begin with what was applied before. */
const PATIENT = ['--patience', '10'];

/** No capability, and none to be had: whoever takes over the daemon has taken over the user gateway, not more. */
const AS_GATEWAY = [
  'setpriv',
  '--reuid=gateway',
  '--regid=gateway',
  '--init-groups',
  '--no-new-privs',
  '--bounding-set=-all',
  '--inh-caps=-all',
];

async function checkUsers(): Promise<void> {
  const missing: string[] = [];
  for (const name of Object.keys(USERADD)) {
    try {
      await lookUpUser(name);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'UserMissing') throw error;
      missing.push(name);
    }
  }
  if (missing.length === 0) return;
  throw new GatewayError(`this machine has no user ${missing.join(' and no user ')}`, {
    code: 'UserMissing',
    hint: ['make them as root, then run gateway up again:', ...missing.map((name) => USERADD[name])].join(
      '\n  ',
    ),
  });
}

function spawnPart(
  [part, ...options]: readonly ['helper' | 'daemon', ...string[]],
  root: string | undefined,
  logs: string,
  prefix: readonly string[],
): Promise<number> {
  const main = join(import.meta.dirname, `main${extname(import.meta.filename)}`);
  const moved = root === undefined ? [] : ['--root', resolve(root)];
  // Node's own options are those that bin/gateway gives.
  const argv = [...prefix, process.execPath, ...process.execArgv, main, part, ...options, ...moved];
  return detach(argv as unknown as Argv, { logFile: logOf(part, logs), env: environment(), cwd: '/' });
}

/** Only what a service needs of a shell: its secrets are none of the daemon's business. */
function environment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'LANG', 'TZ', 'GATEWAY_TOOLS', 'GATEWAY_LOG'];
  return Object.fromEntries(
    kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

function logOf(part: string, logs: string): string {
  return join(logs, `${part}.log`);
}

async function waitUntilAnswered(
  part: 'helper' | 'daemon',
  socket: string,
  pid: number,
  logs: string,
  { signal }: Context,
): Promise<void> {
  const until = Date.now() + START_WAIT_MS;
  while (!(await isAnswered(socket))) {
    if (!isAlive(pid) || Date.now() > until) throw await startFailure(part, pid, logs);
    await sleep(50, undefined, { signal });
  }
}

async function startFailure(part: string, pid: number, logs: string): Promise<GatewayError> {
  const said = (await readFile(logOf(part, logs), 'utf8')).trimEnd().split('\n').slice(-3).join('\n');
  const what = isAlive(pid) ? `does not answer after ${START_WAIT_MS / 1000} s` : 'ended at once';
  return new GatewayError(`the ${part} ${what}; it said:\n${said}`, {
    code: part === 'helper' ? 'HelperUnreachable' : 'DaemonUnreachable',
    hint: `its log is ${logOf(part, logs)}`,
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}
