import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { PlaceReport } from '../core/control.ts';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { nameFault, quote } from '../core/name.ts';
import { FIRST_UID, LAST_UID } from '../core/service-user.ts';
import { directoriesIn, pathsOf } from '../system/directories.ts';
import { type Argv, attach } from '../system/run.ts';
import type { Context } from './command.ts';
import { privateMounts } from './private-mounts.ts';
import { RESOLVING_SOCKETS } from './resolving-sockets.ts';

/**
 * This runs as root on the word of a daemon that has no privileges, so nothing that it says is followed blindly: the
 * namespace must be a plain name, the user one of the ids kept for services, and the directory is our own reckoning.
 */
const NAMESPACE = /^[a-z][a-z0-9]{0,3}-[a-z][a-z0-9-]{0,31}$/;

export async function runAsService(
  name: string,
  place: PlaceReport,
  command: Argv,
  context: Context,
): Promise<number> {
  const { uid, namespace } = place;
  if (nameFault(name) !== undefined) throw refused(`${quote(name)} is not the name of a service`);
  if (!Number.isInteger(uid) || uid < FIRST_UID || uid > LAST_UID) {
    throw refused(`user id ${uid} is not one of those for services, ${FIRST_UID} to ${LAST_UID}`);
  }
  if (namespace !== null && !NAMESPACE.test(namespace)) {
    throw refused(`${quote(namespace)} is not the name of a namespace of ours`);
  }
  if (place.entered !== null) throw notOurs(name, place.entered);
  if (namespace === null)
    context.terminal.note(`${name} is not isolated: it runs in the machine's own network`);
  const directory = await privateDirectory(pathsOf(directoriesIn(context.root)).serviceDirectory(name), uid);
  const start = ['env', `--chdir=${directory}`, ...asUser(uid), ...command] as const;
  const env = environment(directory);
  if (namespace === null) return await attach(start, { env });
  const { run } = directoriesIn(context.root);
  const mounts = await privateMounts(namespace, [...RESOLVING_SOCKETS, run]);
  try {
    return await attach([...mounts.enter, ...start] as unknown as Argv, { env });
  } finally {
    mounts.close();
  }
}

function asUser(uid: number): string[] {
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    '--inh-caps=-all',
    // A program that outlives the command that shows it would be a service that nobody sees.
    '--pdeathsig=TERM',
    '--',
  ];
}

function environment(home: string): NodeJS.ProcessEnv {
  const kept = ['PATH', 'LANG', 'TERM', 'TZ'].flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(kept), HOME: home };
}

/**
 * The last two steps of the path are opened without following links and then used by descriptor: the directory above
 * is writable for the daemon's group, which must not be able to point root's chown elsewhere.
 */
async function privateDirectory(directory: string, uid: number): Promise<string> {
  const services = dirname(directory);
  await makeDirectory(services, 0o711);
  const above = await openDirectory(services, services);
  try {
    const path = `/proc/self/fd/${above.fd}/${basename(directory)}`;
    await makeDirectory(path, 0o700);
    const own = await openDirectory(path, directory);
    try {
      const { uid: owner } = await own.stat();
      if (owner !== 0 && owner !== uid) {
        throw refused(`${directory} belongs to user ${owner}, not to ${uid}`);
      }
      await own.chown(uid, uid);
      await own.chmod(0o700);
      return directory;
    } finally {
      await own.close();
    }
  } finally {
    await above.close();
  }
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw unusable(path, error);
  }
}

async function openDirectory(path: string, name: string): Promise<FileHandle> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  try {
    return await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    throw unusable(name, error);
  }
}

function unusable(path: string, cause: unknown): GatewayError {
  return new GatewayError(`the directory ${path} cannot be used: ${messageOf(cause)}`, {
    code: 'PermissionDenied',
    hint: 'it must be a directory, not a link, below a state directory that exists',
    cause,
  });
}

function notOurs(name: string, entered: string): GatewayError {
  return new GatewayError(
    `${name} lives in the namespace of ${entered}, where programs are not the gateway's to start`,
    {
      code: 'NotSupported',
      retry: 'never',
      hint: `start it there: nsenter, podman exec, docker exec, or the unit itself`,
    },
  );
}

function refused(why: string): GatewayError {
  return new GatewayError(`refused to run as root what the daemon asked for: ${why}`, {
    code: 'PermissionDenied',
    retry: 'never',
    hint: 'see the log of the daemon',
  });
}
