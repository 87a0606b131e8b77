import { createHash } from 'node:crypto';
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { OnionSpec, type OnionFiles } from '../core/operations.ts';
import { nodeCrypto } from '../system/crypto.ts';
import { fileError, removeFile, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import {
  onionAddress,
  parsePublicKeyFile,
  parseSecretKeyFile,
  renderPublicKeyFile,
  renderSecretKeyFile,
} from '../wire/onion.ts';
import type { HelperEnvironment } from './environment.ts';
import { seeClients, writeClients } from './onion-clients.ts';
import { clearPlace, faultOfPlace, putFile } from './onion-place.ts';
import { ensureOwned, readPlain } from './owned-directory.ts';
import type { TorDirectory } from './tor-directory.ts';
import { asUser } from './run-as.ts';

/** One onion service on disk. */
export interface OnionOnDisk extends OnionSpec {
  readonly hostname: string;
  /** Public key of the gateway's own visitor, where keys are asked for. */
  readonly visitor?: string;
  /** Why tor could not use its files; tor would end, or overwrite them with new keys. */
  readonly damaged?: string;
}

/** Writes the three files that tor reads, and last our own `<service>.json`, which says that it is wanted. */
export async function writeOnionFiles(
  onion: OnionFiles,
  directory: TorDirectory,
  { paths, tor }: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const { service, virtualPort, proofOfWork, target, through, authorization, visitor } = onion;
  const secret = Buffer.from(onion.secretKey, 'base64');
  const publicKey = Buffer.from(onion.publicKey, 'base64');
  requireMatch(onion, secret, publicKey);
  const path = join(directory.onions, service);
  await clearPlace(path);
  await ensureOwned(path, tor, 0o700);
  const files: readonly (readonly [string, Uint8Array])[] = [
    ['hs_ed25519_public_key', renderPublicKeyFile(publicKey)],
    ['hostname', Buffer.from(`${onion.hostname}\n`)],
    ['hs_ed25519_secret_key', renderSecretKeyFile(secret)],
  ];
  const named = join(paths.torState, 'onions', service);
  for (const [name, content] of files) {
    await putFile({ path: join(path, name), named: join(named, name) }, content, tor, signal);
  }
  const spec: OnionSpec = {
    service,
    virtualPort,
    proofOfWork,
    target,
    ...(through === undefined ? {} : { through }),
    ...(authorization === undefined ? {} : { authorization }),
  };
  await writeClients(path, spec, visitor, tor);
  await replace(markOf(directory, service), Buffer.from(`${JSON.stringify(spec)}\n`), { mode: 0o600 });
}

async function replace(
  path: string,
  content: Uint8Array,
  options: Parameters<typeof writeFileAtomic>[2],
): Promise<void> {
  if ((await readPlain(path))?.equals(content) === true) return;
  await writeFileAtomic(path, content, options);
}

/** What the daemon sends must be one key; a mixture would be published under an address that nobody holds. */
function requireMatch({ service, hostname }: OnionFiles, secret: Uint8Array, publicKey: Uint8Array): void {
  const isKey = secret.length === 64 && publicKey.length === 32;
  if (isKey && addressOf(secret) === hostname && addressOf(secret, publicKey) === hostname) return;
  throw new GatewayError(`the onion key of ${service} does not give the address ${hostname}`, {
    code: 'KeyCorrupt',
    retry: 'never',
  });
}

/** Derived addresses by hash of the secret: deriving costs half a millisecond, and it is asked at every pass. */
const derived = new Map<string, Buffer>();

function addressOf(secret: Uint8Array, claimed?: Uint8Array): string {
  const id = createHash('sha256').update(secret).digest('hex');
  const publicKey = derived.get(id) ?? Buffer.from(nodeCrypto.ed25519Public(secret));
  derived.set(id, publicKey);
  if (claimed !== undefined && !publicKey.equals(claimed)) return '';
  return `${onionAddress(publicKey, nodeCrypto.sha3_256)}.onion`;
}

/** Every onion service that is wanted, sorted, each checked as tor would need it. */
export async function readOnions(directory: TorDirectory): Promise<OnionOnDisk[]> {
  const names = await readdir(directory.onions);
  const services = names
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length));
  const found = await Promise.all(services.sort().map((service) => readOnion(directory, service)));
  return found.filter((onion) => onion !== undefined);
}

/** What is wanted of this onion service; `undefined`: nothing. */
export async function readMark(directory: TorDirectory, service: string): Promise<OnionSpec | undefined> {
  const text = (await readPlain(markOf(directory, service)))?.toString() ?? '';
  const spec = parseMark(text);
  return spec?.service === service ? spec : undefined;
}

async function readOnion(directory: TorDirectory, service: string): Promise<OnionOnDisk | undefined> {
  const spec = await readMark(directory, service);
  if (spec === undefined) return undefined;
  try {
    return await readKeyFiles(directory, spec);
  } catch (error) {
    // A disk that cannot read one file must not hide the other onions.
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return { ...spec, hostname: '', damaged: error.message };
  }
}

/** As tor would need it. */
export async function readKeyFiles(directory: TorDirectory, spec: OnionSpec): Promise<OnionOnDisk> {
  const path = join(directory.onions, spec.service);
  const unfit = await faultOfPlace(path, directory.tor);
  if (unfit !== undefined) return { ...spec, hostname: '', damaged: unfit };
  const [secretFile, publicFile, hostnameFile] = await Promise.all(
    ['hs_ed25519_secret_key', 'hs_ed25519_public_key', 'hostname'].map((name) => readPlain(join(path, name))),
  );
  const hostname = hostnameFile?.toString().trim() ?? '';
  const clients = await seeClients(path, spec);
  const damaged = damageOf(secretFile, publicFile, hostname) ?? clients.damaged;
  return { ...spec, hostname, ...clients, ...(damaged === undefined ? {} : { damaged }) };
}

function parseMark(text: string): OnionSpec | undefined {
  try {
    return OnionSpec.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function damageOf(
  secretFile: Buffer | undefined,
  publicFile: Buffer | undefined,
  hostname: string,
): string | undefined {
  if (secretFile === undefined) return 'hs_ed25519_secret_key is not there';
  const secret = parseSecretKeyFile(secretFile);
  if (secret === undefined) return `hs_ed25519_secret_key is damaged (${secretFile.length} of 96 bytes)`;
  const publicKey = parsePublicKeyFile(publicFile ?? new Uint8Array());
  if (publicKey === undefined) return 'hs_ed25519_public_key is damaged or not there';
  try {
    const address = addressOf(secret, publicKey);
    if (address === '') return 'its secret key and its public key do not belong together';
    return address === hostname ? undefined : 'its key does not give the address in its file hostname';
  } catch (error) {
    if (error instanceof GatewayError) return error.message;
    throw error;
  }
}

/** Not wanted any more. Its directory stays while the torrc names it: tor would make a new key in its place. */
export async function unmarkOnion(directory: TorDirectory, service: string): Promise<void> {
  await removeFile(markOf(directory, service));
}

/** Removes the directories of onions that are neither wanted nor named by the torrc. */
export async function sweepOnions(
  directory: TorDirectory,
  listed: ReadonlySet<string>,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const entries = await readdir(directory.onions, { withFileTypes: true });
  const marked = new Set(entries.map(({ name }) => name));
  for (const entry of entries) {
    const isWanted = marked.has(`${entry.name}.json`) || listed.has(entry.name);
    if (!entry.isDirectory() || isWanted) continue;
    await removeTree(entry.name, directory, environment, signal);
  }
}

/** With tor's own rights: links that lie in its directories then lead nowhere that tor could not go. */
async function removeTree(
  service: string,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const path = join(environment.paths.torState, 'onions', service);
  // One that was only half made still belongs to root.
  await ensureOwned(join(directory.onions, service), environment.tor, 0o700);
  await run([...asUser(environment.tor), 'find', path, '-mindepth', '1', '-delete'], { signal, cwd: '/' });
  try {
    await rmdir(join(directory.onions, service));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(`${path} could not be removed`, error);
  }
}

function markOf(directory: TorDirectory, service: string): string {
  return join(directory.onions, `${service}.json`);
}
