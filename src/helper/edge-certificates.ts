import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError, removeFile, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import { edgeConfigFile, type EdgeDirectory } from './edge-directory.ts';
import { complaintOf, findOneOfEdge } from './edge-process.ts';
import { tellEdge } from './edge-socket.ts';
import { ADDRESS_LIST, CERTIFICATE_LIST } from './edge-web.ts';
import type { HelperEnvironment } from './environment.ts';
import { ensureOwned, readPlain } from './owned-directory.ts';
import { asUser } from './run-as.ts';

/**
 * Certificates that HAProxy shows: on disk for its next start, and given to the running one through its socket, so that
 * no connection notices. A file has certificate, chain and key, and is replaced as a whole.
 */
const DIRECTORY = 'certificates';
const SUFFIX = '.pem';

/** Relative to the configuration, which is also how HAProxy calls it: `*` is no letter for a file. */
function fileOf(name: string): string {
  return `${DIRECTORY}/${name.replace('*', '_')}${SUFFIX}`;
}

/** Keeps it, and gives it to the running HAProxy. */
export async function keepCertificate(
  { name, pem }: { readonly name: string; readonly pem: string },
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const text = plainPem(pem);
  await storeVerified(name, text, directory, environment, signal);
  await writeLists(directory, environment);
  if ((await findOneOfEdge(environment)) === undefined) return;
  const list = isIP(name) === 0 ? CERTIFICATE_LIST : ADDRESS_LIST;
  await putCertificate({ file: fileOf(name), pem: text, list, name }, environment, signal);
}

export async function forgetCertificate(
  name: string,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await removeFile(join(directory.base, fileOf(name)));
  await writeLists(directory, environment);
  if ((await findOneOfEdge(environment)) === undefined) return;
  await dropCertificate(
    fileOf(name),
    isIP(name) === 0 ? CERTIFICATE_LIST : ADDRESS_LIST,
    environment,
    signal,
  );
}

/** Names and leaves of the certificates on disk; one that is damaged is none, and is in nobody's way. */
export async function listCertificates({
  base,
}: EdgeDirectory): Promise<{ name: string; fingerprint: string }[]> {
  const names = await namesOnDisk(base);
  const found = await Promise.all(
    names.map(async (name) => {
      const pem = await readPlain(join(base, fileOf(name)));
      const fingerprint = pem === undefined ? undefined : fingerprintOf(pem);
      return fingerprint === undefined ? [] : [{ name, fingerprint }];
    }),
  );
  return found.flat();
}

function fingerprintOf(pem: Buffer): string | undefined {
  try {
    const leaf = new X509Certificate(pem);
    if (!leaf.checkPrivateKey(createPrivateKey(pem))) return undefined;
    return leaf.fingerprint256.replaceAll(':', '').toLowerCase();
  } catch {
    // Node throws errors of many kinds here, and all of them say that this is no certificate.
    return undefined;
  }
}

async function namesOnDisk(base: string): Promise<string[]> {
  try {
    const files = await readdir(join(base, DIRECTORY));
    const mine = files.filter((file) => file.endsWith(SUFFIX)).sort();
    return mine.map((file) => file.slice(0, -SUFFIX.length).replace(/^_/, '*'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError('the certificates of HAProxy could not be listed', error);
  }
}

/** What HAProxy reads at its start: each certificate answers to its own name alone, that of an address to no name. */
export async function renderCertificateLists(
  directory: EdgeDirectory,
  environment: HelperEnvironment,
): Promise<ReadonlyMap<string, string>> {
  await ensureDirectory(directory, environment);
  const known = await listCertificates(directory);
  const named = known.filter(({ name }) => isIP(name) === 0);
  const addresses = known.filter(({ name }) => isIP(name) !== 0);
  return new Map([
    [CERTIFICATE_LIST, named.map(({ name }) => `${fileOf(name)} ${name}\n`).join('')],
    [ADDRESS_LIST, addresses.map(({ name }) => `${fileOf(name)}\n`).join('')],
  ]);
}

async function writeLists(directory: EdgeDirectory, environment: HelperEnvironment): Promise<void> {
  for (const [name, text] of await renderCertificateLists(directory, environment)) {
    await writeFileAtomic(join(directory.base, name), text, ownedBy(environment));
  }
}

function ensureDirectory({ base }: EdgeDirectory, { edge }: HelperEnvironment): Promise<void> {
  return ensureOwned(join(base, DIRECTORY), { uid: process.getuid?.() ?? 0, gid: edge.gid }, 0o750);
}

export function ownedBy({ edge }: HelperEnvironment) {
  return { mode: 0o640, owner: { uid: process.getuid?.() ?? 0, gid: edge.gid } };
}

/** A file that HAProxy cannot use would keep it from starting, and every other name with it. */
async function storeVerified(
  name: string,
  pem: string,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await ensureDirectory(directory, environment);
  const file = join(directory.base, fileOf(name));
  const draft = `${fileOf(name)}.new`;
  await writeFileAtomic(join(directory.base, draft), pem, ownedBy(environment));
  const check = [
    'global',
    '    default-path config',
    'frontend check',
    '    mode http',
    '    timeout client 1s',
    `    bind unix@check ssl crt ${draft}`,
    '',
  ].join('\n');
  await writeFileAtomic(join(directory.base, 'check.cfg'), check, ownedBy(environment));
  const argv = ['haproxy', '-c', '-f', join(edgeConfigFile(environment), '..', 'check.cfg')] as const;
  const { stderr, exitCode } = await run([...asUser(environment.edge), ...argv], {
    signal,
    cwd: '/',
    accept: [0, 1],
  });
  await removeFile(join(directory.base, 'check.cfg'));
  if (exitCode !== 0) {
    await removeFile(join(directory.base, draft));
    throw unusable(name, complaintOf(stderr));
  }
  try {
    await rename(join(directory.base, draft), file);
    await syncDirectory(join(directory.base, DIRECTORY));
  } catch (error) {
    throw fileError(`the certificate of ${name} could not be replaced`, error);
  }
}

function unusable(name: string, why: string): GatewayError {
  return new GatewayError(`HAProxy cannot use the certificate of ${name}, so the one before stays: ${why}`, {
    code: 'InvalidRequest',
    retry: 'when-changed',
  });
}

/** An empty line would end what the socket takes. */
export function plainPem(pem: string): string {
  const lines = pem.split(/\r?\n/).filter((line) => line !== '');
  return `${lines.join('\n')}\n`;
}

export interface GivenCertificate {
  readonly file: string;
  readonly pem: string;
  readonly list: string;
  /** To which SNI it answers. */
  readonly name: string;
}

/** Gives it to the running HAProxy, in place of the one before. */
export async function putCertificate(
  { file, pem, list, name }: GivenCertificate,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const tell = (command: string): Promise<string> => tellEdge(environment, command, signal);
  // Left over by somebody who was cut short.
  await tell(`abort ssl cert ${file}`);
  if (!/^Filename: /m.test(await tell(`show ssl cert ${file}`))) await tell(`new ssl cert ${file}`);
  await tell(`set ssl cert ${file} <<\n${pem}`);
  const said = await tell(`commit ssl cert ${file}`);
  if (!said.includes('Success!')) throw refused(name, said);
  const listed = (await tell(`show ssl crt-list ${list}`)).split('\n').map((line) => line.split(' ')[0]);
  if (listed.includes(file)) return;
  const filter = list === ADDRESS_LIST ? '' : ` ${name}`;
  const added = await tell(`add ssl crt-list ${list} <<\n${file}${filter}\n`);
  // The first one of an address comes with the configuration that has a place for it.
  const isEarly = list === ADDRESS_LIST && added.includes('does not exist');
  if (!added.includes('Success!') && !isEarly) throw refused(name, added);
}

/** Twice is fine. */
export async function dropCertificate(
  file: string,
  list: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await tellEdge(environment, `del ssl crt-list ${list} ${file}`, signal);
  await tellEdge(environment, `del ssl cert ${file}`, signal);
}

function refused(name: string, said: string): GatewayError {
  const why = said.trim().split('\n').at(-1) ?? '';
  return new GatewayError(`HAProxy did not take the certificate of ${name}: ${why}`, {
    code: 'EdgeUnavailable',
  });
}
