import { X509Certificate } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { fileError, removeFile, syncDirectory, writeFileAtomic } from '../system/files.ts';
import {
  acceptedCertificates,
  DIRECTORY,
  ensureCertificates,
  faultOf,
  fileOf,
  filterOf,
  hashOf,
  listOf,
  ownedBy,
  renderCertificateLists,
  type KeptCertificate,
} from './edge-certificate-files.ts';
import type { EdgeDirectory } from './edge-directory.ts';
import { findOneOfEdge } from './edge-process.ts';
import { tellEdge } from './edge-socket.ts';
import { ADDRESS_LIST, CERTIFICATE_LIST } from './edge-web.ts';
import type { HelperEnvironment } from './environment.ts';

/** Certificates that HAProxy shows: given to the running one through its socket, so that no connection notices. */

/** Keeps it, and gives it to the running HAProxy. What is as it was is not done again. */
export async function keepCertificate(
  { name, pem }: { readonly name: string; readonly pem: string },
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const text = plainPem(pem);
  const given = { file: fileOf(name), hash: hashOf(text) };
  const accepted = await acceptedCertificates(directory);
  const isKept = accepted.some((kept) => kept.name === name && kept.hash === given.hash);
  if (!isKept) {
    await storeVerified(name, text, directory, environment, signal);
    await writeLists(directory, environment, signal, given);
  }
  if ((await findOneOfEdge(environment)) === undefined) return;
  const certificate = { file: given.file, pem: text, list: listOf(name), name, filter: filterOf(name) };
  if (isKept && (await isShown(certificate, environment, signal))) return;
  await putCertificate(certificate, environment, signal);
}

export async function forgetCertificate(
  name: string,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await removeFile(join(directory.base, fileOf(name)));
  await writeLists(directory, environment, signal);
  if ((await findOneOfEdge(environment)) === undefined) return;
  await dropCertificate(fileOf(name), listOf(name), environment, signal);
}

/** Those on disk that HAProxy accepted, and that the running one shows. */
export async function shownCertificates(
  isRunning: boolean,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<KeptCertificate[]> {
  const accepted = await acceptedCertificates(directory);
  if (!isRunning || accepted.length === 0) return accepted;
  const listed = new Map<string, ReadonlySet<string> | undefined>();
  for (const list of [CERTIFICATE_LIST, ADDRESS_LIST]) {
    listed.set(list, await filesOf(list, environment, signal));
  }
  return accepted.filter(({ name }) => listed.get(listOf(name))?.has(fileOf(name)) !== false);
}

async function writeLists(
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
  checked?: { readonly file: string; readonly hash: string },
): Promise<void> {
  const lists = await renderCertificateLists(directory, environment, signal, checked);
  for (const [name, text] of lists) {
    await writeFileAtomic(join(directory.base, name), text, ownedBy(environment));
  }
}

async function storeVerified(
  name: string,
  pem: string,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await ensureCertificates(directory, environment);
  const draft = `${fileOf(name)}.new`;
  await writeFileAtomic(join(directory.base, draft), pem, ownedBy(environment));
  const fault = await faultOf([draft], directory, environment, signal);
  if (fault !== undefined) {
    await removeFile(join(directory.base, draft));
    throw unusable(name, fault);
  }
  try {
    await rename(join(directory.base, draft), join(directory.base, fileOf(name)));
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
  readonly name: string;
  /** To which SNI it answers, as a list says it after the file. */
  readonly filter: string;
}

/** Files of a list that the running HAProxy has; `undefined` when it has no such list. */
async function filesOf(
  list: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const said = await tellEdge(environment, `show ssl crt-list ${list}`, signal);
  if (!said.startsWith('#')) return undefined;
  return new Set(said.split('\n').map((line) => line.split(' ')[0] ?? ''));
}

async function isShown(
  { file, pem, list }: GivenCertificate,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const said = await tellEdge(environment, `show ssl cert ${file}`, signal);
  const leaf = new X509Certificate(pem).fingerprint.replaceAll(':', '');
  const isSame = new RegExp(`^SHA1 FingerPrint: ${leaf}$`, 'm').test(said);
  return isSame && (await filesOf(list, environment, signal))?.has(file) !== false;
}

/** Gives it to the running HAProxy, in place of the one before. */
export async function putCertificate(
  { file, pem, list, name, filter }: GivenCertificate,
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
  if ((await filesOf(list, environment, signal))?.has(file) === true) return;
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
