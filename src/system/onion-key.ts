import { open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { quote } from '../core/name.ts';
import { Secret } from '../core/secret.ts';
import { onionAddress, parsePublicKeyFile, parseSecretKeyFile } from '../wire/onion.ts';
import { nodeCrypto } from './crypto.ts';
import { fileError } from './files.ts';

/** The key of an onion service that another tor has served until now. */
export interface ForeignOnionKey {
  /** 64 bytes, expanded. */
  readonly secret: Secret<Uint8Array>;
  /** `<56 characters>.onion`, derived from the secret. */
  readonly hostname: string;
}

const SECRET = 'hs_ed25519_secret_key';
const PUBLIC = 'hs_ed25519_public_key';
/** The largest of the three files has 96 bytes. */
const MAX_BYTES = 4096;

/**
 * Reads C tor's `HiddenServiceDir` (nix-bitcoin keeps the same files in /var/lib/tor/onion/<name>/), or its secret key
 * file alone. Files that lie beside it must belong to it: a mixture would be an address that nobody expects.
 */
export async function readOnionKey(path: string): Promise<ForeignOnionKey> {
  const isDirectory = await statOf(path);
  const file = isDirectory ? join(path, SECRET) : path;
  const bytes = await read(file);
  if (bytes === undefined) throw await missing(path);
  const secret = parseSecretKeyFile(bytes);
  if (secret === undefined) throw damaged(file, whyNotSecret(bytes));
  const publicKey = derive(secret, file);
  const hostname = `${onionAddress(publicKey, nodeCrypto.sha3_256)}.onion`;
  if (isDirectory || basename(path) === SECRET) await compare(dirname(file), publicKey, hostname);
  return { secret: new Secret(Uint8Array.from(secret)), hostname };
}

async function compare(directory: string, publicKey: Uint8Array, hostname: string): Promise<void> {
  const publicFile = join(directory, PUBLIC);
  const publicBytes = await read(publicFile);
  if (publicBytes !== undefined) {
    const found = parsePublicKeyFile(publicBytes);
    if (found === undefined)
      throw damaged(publicFile, `it is not a public key (${publicBytes.length} bytes)`);
    if (!Buffer.from(found).equals(publicKey))
      throw damaged(publicFile, 'the secret key beside it is another');
  }
  const hostnameFile = join(directory, 'hostname');
  // One line; further words are client names of old versions.
  const said = (await read(hostnameFile))?.toString('latin1').trim().split(/\s/)[0];
  if (said !== undefined && said !== hostname) {
    throw damaged(hostnameFile, `it says ${quote(said)}, but the secret key beside it gives ${hostname}`);
  }
}

function derive(secret: Uint8Array, file: string): Uint8Array {
  try {
    return nodeCrypto.ed25519Public(secret);
  } catch (cause) {
    if (!(cause instanceof GatewayError)) throw cause;
    throw damaged(file, cause.message);
  }
}

async function statOf(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw translate(path, error);
  }
}

/** `undefined` when it is not there. A link of the owner's own is followed; a pipe or a device is not read. */
async function read(path: string): Promise<Buffer | undefined> {
  try {
    if (!(await stat(path)).isFile()) throw damaged(path, 'it is not a file');
    const file = await open(path);
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw translate(path, error);
  }
}

/** Never a byte of the file itself. */
function whyNotSecret(bytes: Buffer): string {
  const head = bytes.subarray(0, 32).toString('latin1');
  if (head.startsWith('== ed25519v1-public')) return 'it is a public key; the secret one is needed';
  if (head.startsWith('-----BEGIN')) return 'it is a key of another kind (PEM), as version 2 onions had';
  if (head.startsWith('== ed25519v1-secret')) return `it has ${bytes.length} of 96 bytes`;
  return bytes.length === 0 ? 'it is empty' : 'it does not begin as the secret key of a version 3 onion does';
}

async function missing(directory: string): Promise<GatewayError> {
  const isVersion2 = (await read(join(directory, 'private_key'))) !== undefined;
  return new GatewayError(
    isVersion2
      ? `${directory} holds a version 2 onion, which the Tor network no longer carries`
      : `${directory} has no ${SECRET}`,
    {
      code: 'InvalidRequest',
      retry: 'never',
      hint: `name the HiddenServiceDir of a version 3 onion, such as /var/lib/tor/shop: it has ${SECRET} and hostname`,
    },
  );
}

function damaged(file: string, why: string): GatewayError {
  return new GatewayError(`${file} cannot be imported: ${why}`, {
    code: 'KeyCorrupt',
    retry: 'never',
    hint: 'take the whole directory from a backup; nothing was imported',
  });
}

function translate(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new GatewayError(`there is no ${path}`, { code: 'InvalidRequest', retry: 'never', cause: error });
  }
  if (errno !== 'EACCES' && errno !== 'EPERM') return fileError(`${path} could not be read`, error);
  return new GatewayError(`this user may not read ${path}`, {
    code: 'PermissionDenied',
    retry: 'never',
    hint: 'it belongs to the tor that serves it now: run this command as root',
    cause: error,
  });
}
