import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { fileError, removeFile, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import { edgeConfigFile, type EdgeDirectory } from './edge-directory.ts';
import { complaintOf } from './edge-process.ts';
import { ADDRESS_LIST, CERTIFICATE_LIST } from './edge-web.ts';
import type { HelperEnvironment } from './environment.ts';
import { ensureOwned, readPlain } from './owned-directory.ts';
import { asUser } from './run-as.ts';

/**
 * Certificates on disk, for HAProxy's next start. A file has certificate, chain and key, and is replaced as a whole. One
 * that HAProxy cannot use would keep it from starting, and every other name with it: so each is shown to HAProxy once,
 * and the list of what it reads says which bytes it accepted. A thousand are not checked again when one comes.
 */
export const DIRECTORY = 'certificates';
const SUFFIX = '.pem';

/** Relative to the configuration, which is also how HAProxy calls it: `*` is no letter for a file. */
export function fileOf(name: string): string {
  return `${DIRECTORY}/${name.replace('*', '_')}${SUFFIX}`;
}

export function listOf(name: string): string {
  return isIP(name) === 0 ? CERTIFICATE_LIST : ADDRESS_LIST;
}

export interface KeptCertificate {
  readonly name: string;
  /** SHA-256 of the leaf, hex. */
  readonly fingerprint: string;
  /** SHA-256 of the file, hex. */
  readonly hash: string;
}

/** Those on disk that HAProxy has accepted as they are; one that is damaged is none, and is in nobody's way. */
export async function acceptedCertificates(directory: EdgeDirectory): Promise<KeptCertificate[]> {
  const accepted = await readAccepted(directory);
  const kept = await readAll(directory);
  return kept.filter(({ name, hash }) => accepted.get(fileOf(name)) === hash);
}

/**
 * What HAProxy reads at its start: each certificate answers to its own name alone, that of an address to no name.
 * `checked`: one that it has just accepted.
 */
export async function renderCertificateLists(
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
  checked?: { readonly file: string; readonly hash: string },
): Promise<ReadonlyMap<string, string>> {
  await ensureCertificates(directory, environment);
  const accepted = new Map(await readAccepted(directory));
  if (checked !== undefined) accepted.set(checked.file, checked.hash);
  const kept = await readAll(directory);
  const strange = kept.filter(({ name, hash }) => accepted.get(fileOf(name)) !== hash);
  const usable = await usableOf(strange, directory, environment, signal);
  return listTexts(kept.filter((each) => usable.includes(each) || !strange.includes(each)));
}

/** Those of certificates that it has accepted. */
export function listTexts(listed: readonly KeptCertificate[]): ReadonlyMap<string, string> {
  const linesOf = (list: string): string =>
    listed
      .filter(({ name }) => listOf(name) === list)
      .map(({ name, hash }) => `${ACCEPTED}${hash}\n${fileOf(name)}${filterOf(name)}\n`)
      .join('');
  return new Map([CERTIFICATE_LIST, ADDRESS_LIST].map((list) => [list, linesOf(list)]));
}

/** To which SNI it answers, as a list says it after the file. */
export function filterOf(name: string): string {
  return isIP(name) === 0 ? ` ${name}` : '';
}

export function hashOf(pem: string | Buffer): string {
  return createHash('sha256').update(pem).digest('hex');
}

const ACCEPTED = '# accepted: ';

/** Hash of what was accepted, by file. */
async function readAccepted({ base }: EdgeDirectory): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const list of [CERTIFICATE_LIST, ADDRESS_LIST]) {
    const lines = ((await readPlain(join(base, list))) ?? '').toString().split('\n');
    for (const [index, line] of lines.entries()) {
      const file = lines[index + 1]?.split(' ')[0];
      if (line.startsWith(ACCEPTED) && file !== undefined) found.set(file, line.slice(ACCEPTED.length));
    }
  }
  return found;
}

/** By what the file system says of a file: a look at a thousand certificates reads none that is as it was. */
const known = new Map<string, KeptCertificate | undefined>();

/** Those that are whole, sorted by name. */
async function readAll({ base }: EdgeDirectory): Promise<KeptCertificate[]> {
  const names = await namesOnDisk(base);
  const read = await Promise.all(names.map((name) => readOne(name, join(base, fileOf(name)))));
  known.clear();
  for (const { key, kept } of read) known.set(key, kept);
  return read.flatMap(({ kept }) => kept ?? []);
}

async function readOne(name: string, file: string): Promise<{ key: string; kept?: KeptCertificate }> {
  const key = `${name} ${await signatureOf(file)}`;
  const before = known.get(key);
  if (known.has(key)) return before === undefined ? { key } : { key, kept: before };
  const pem = await readPlain(file);
  const fingerprint = pem === undefined ? undefined : fingerprintOf(pem);
  if (pem === undefined || fingerprint === undefined) return { key };
  return { key, kept: { name, fingerprint, hash: hashOf(pem) } };
}

async function signatureOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await lstat(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'gone';
    throw fileError(`${file} could not be examined`, error);
  }
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

export function ensureCertificates({ base }: EdgeDirectory, { edge }: HelperEnvironment): Promise<void> {
  return ensureOwned(join(base, DIRECTORY), { uid: process.getuid?.() ?? 0, gid: edge.gid }, 0o750);
}

export function ownedBy({ edge }: HelperEnvironment) {
  return { mode: 0o640, owner: { uid: process.getuid?.() ?? 0, gid: edge.gid } };
}

/** All at once, and one by one when one of them is bad. */
async function usableOf(
  strange: readonly KeptCertificate[],
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<readonly KeptCertificate[]> {
  const check = (files: readonly string[]): Promise<string | undefined> =>
    faultOf(files, directory, environment, signal);
  if (strange.length === 0) return [];
  if ((await check(strange.map(({ name }) => fileOf(name)))) === undefined) return strange;
  const usable: KeptCertificate[] = [];
  for (const each of strange) {
    const fault = await check([fileOf(each.name)]);
    if (fault === undefined) usable.push(each);
    else environment.log('warn', 'a certificate on disk is shown to nobody', { name: each.name, fault });
  }
  return usable;
}

/** What HAProxy has against certificates, as its own user; `undefined` when it can use them. */
export async function faultOf(
  files: readonly string[],
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const lines = [
    'global',
    '    default-path config',
    'frontend check',
    '    mode http',
    '    timeout client 1s',
    '    bind unix@check ssl crt-list check.list',
    '',
  ];
  const texts = { 'check.cfg': lines.join('\n'), 'check.list': files.map((file) => `${file}\n`).join('') };
  for (const [name, text] of Object.entries(texts)) {
    await writeFileAtomic(join(directory.base, name), text, ownedBy(environment));
  }
  const argv = ['haproxy', '-c', '-f', join(edgeConfigFile(environment), '..', 'check.cfg')] as const;
  const accept = [0, 1];
  const { stderr, exitCode } = await run([...asUser(environment.edge), ...argv], {
    signal,
    cwd: '/',
    accept,
  });
  for (const name of Object.keys(texts)) await removeFile(join(directory.base, name));
  return exitCode === 0 ? undefined : complaintOf(stderr);
}
