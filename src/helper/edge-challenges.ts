import { isIP } from 'node:net';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { removeFile, writeFileAtomic } from '../system/files.ts';
import { ownedBy } from './edge-certificate-files.ts';
import { dropCertificate, plainPem, putCertificate } from './edge-certificates.ts';
import { inEdgeDirectory, type EdgeDirectory } from './edge-directory.ts';
import { findOneOfEdge } from './edge-process.ts';
import { tellEdge } from './edge-socket.ts';
import { CHALLENGE_LIST, CHALLENGE_MAP, hostOf } from './edge-web.ts';
import type { OperationArguments } from '../core/operations.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { ensureOwned, readPlain } from './owned-directory.ts';

/**
 * Challenges of a certificate authority, answered by HAProxy itself: nothing that it sends reaches the daemon. They are
 * on disk as well, so that a reload for another name does not spoil the order of this one; gone when HAProxy ends.
 */
export async function takeChallenge(
  challenge: OperationArguments<'edge.challenge'>,
  /** Has HAProxy look at what visitors say first: only there can be seen that one is the authority. */
  look: () => Promise<void>,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  if ((await findOneOfEdge(environment)) === undefined) throw notRunning();
  if (challenge.type === 'tls-alpn-01') {
    const pem = plainPem(challenge.pem);
    await keepFile(challenge.name, pem, directory, environment);
    await look();
    await putCertificate({ ...entryOf(challenge.name), pem }, environment, signal);
    return;
  }
  const key = keyOf(challenge);
  await changeLines(CHALLENGE_MAP, key, `${key} ${challenge.response}`, directory, environment);
  await tellEdge(environment, `del map ${CHALLENGE_MAP} ${key}`, signal);
  const said = await tellEdge(environment, `add map ${CHALLENGE_MAP} ${key} ${challenge.response}`, signal);
  if (said.trim() !== '') throw refused(challenge.name, said);
}

export const removeChallenge: Handler<'edge.challenge.remove'> = (challenge, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const isRunning = (await findOneOfEdge(environment)) !== undefined;
    if (challenge.type === 'http-01') {
      const key = keyOf(challenge);
      await changeLines(CHALLENGE_MAP, key, undefined, directory, environment);
      if (isRunning) await tellEdge(environment, `del map ${CHALLENGE_MAP} ${key}`, signal);
      return {};
    }
    const { file } = entryOf(challenge.name);
    await changeLines(CHALLENGE_LIST, file, undefined, directory, environment);
    await removeFile(join(directory.base, file));
    if (isRunning) await dropCertificate(file, CHALLENGE_LIST, environment, signal);
    return {};
  });

/** There is one by TLS, for which HAProxy must look at what visitors say first. */
export async function hasChallenge({ base }: EdgeDirectory): Promise<boolean> {
  return (await readPlain(join(base, CHALLENGE_LIST)))?.length !== 0;
}

/** Files of challenges, empty where there are none; before a start all that is left is of orders that ended. */
export async function ensureChallengeFiles(
  isStart: boolean,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
): Promise<void> {
  for (const name of [CHALLENGE_LIST, CHALLENGE_MAP]) {
    const file = join(directory.base, name);
    if (!isStart && (await readPlain(file)) !== undefined) continue;
    await writeFileAtomic(file, '', ownedBy(environment));
  }
}

async function keepFile(
  name: string,
  pem: string,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
): Promise<void> {
  const { file, filter } = entryOf(name);
  const root = { uid: process.getuid?.() ?? 0, gid: environment.edge.gid };
  await ensureOwned(join(directory.base, DIRECTORY), root, 0o750);
  await writeFileAtomic(join(directory.base, file), pem, ownedBy(environment));
  await changeLines(CHALLENGE_LIST, file, `${file}${filter}`, directory, environment);
}

/** Replaces the line that starts with `key`, or takes it away. */
async function changeLines(
  name: string,
  key: string,
  line: string | undefined,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
): Promise<void> {
  const file = join(directory.base, name);
  const before = ((await readPlain(file)) ?? '').toString().split('\n');
  const others = before.filter((each) => each !== '' && each.split(' ')[0] !== key);
  const after = [...others, ...(line === undefined ? [] : [line]), ''].join('\n');
  await writeFileAtomic(file, after, ownedBy(environment));
}

function keyOf({ name, token }: { readonly name: string; readonly token: string }): string {
  return `${hostOf(name)}/${token}`;
}

const DIRECTORY = 'challenges';

function entryOf(name: string) {
  return { file: `${DIRECTORY}/${name}.pem`, list: CHALLENGE_LIST, name, filter: ` ${sniOf(name)}` };
}

/** RFC 8738 6: who checks an address asks for its reverse name. */
function sniOf(name: string): string {
  if (isIP(name) === 4) return `${name.split('.').toReversed().join('.')}.in-addr.arpa`;
  if (isIP(name) !== 6) return name;
  const [head = '', tail] = name.split('::');
  const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  const digits = [...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join('');
  return `${digits.split('').toReversed().join('.')}.ip6.arpa`;
}

function notRunning(): GatewayError {
  return new GatewayError('HAProxy does not run, so it cannot answer a challenge', {
    code: 'EdgeUnavailable',
  });
}

function refused(name: string, said: string): GatewayError {
  return new GatewayError(`HAProxy did not take the challenge of ${name}: ${said.trim()}`, {
    code: 'EdgeUnavailable',
  });
}
