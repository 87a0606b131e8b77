import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { GatewayError, messageOf } from '../../core/errors.ts';

/**
 * A sealed file: three lines of text, then the content, compressed and encrypted.
 *
 *   gateway backup 1
 *   {"scrypt":{"log2N":17,"r":8,"p":1,"salt":…},"nonce":…,"bytes":…,"sha256":…}
 *   <hex HMAC-SHA-256 of the two lines above>
 *   <AES-256-GCM, then its tag of 16 bytes>
 *
 * scrypt (RFC 7914) turns the passphrase into two keys, one for the third line, one for the content. So a file that is cut
 * off or damaged is told from a wrong passphrase, and nothing is believed that the passphrase does not vouch for.
 */
const MAGIC = 'gateway backup ';
const VERSION = 1;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const LOG2_N = 17;
/** What we would spend on opening a file that somebody else made: 512 MiB. */
const MAX_LOG2_N = 19;
const MAX_CONTENT_BYTES = 256 * 1024 * 1024;

const Head = z.strictObject({
  scrypt: z.strictObject({
    log2N: z.int().min(14).max(MAX_LOG2_N),
    r: z.literal(8),
    p: z.int().min(1).max(4),
    salt: z.base64(),
  }),
  nonce: z.base64(),
  bytes: z.int().min(TAG_BYTES),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
type Head = z.infer<typeof Head>;

/** Encrypts `content` for whoever knows the passphrase. */
export async function seal(content: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const packed = await promisify(gzip)(content);
  const nonce = randomBytes(NONCE_BYTES);
  const cost = { log2N: LOG2_N, r: 8 as const, p: 1, salt: randomBytes(16).toString('base64') };
  const keys = await deriveKeys(passphrase, cost);
  const cipher = createCipheriv('aes-256-gcm', keys.content, nonce);
  // The head says the checksum of the ciphertext, so what is associated with the ciphertext is only what comes before.
  const bound = associated(cost, nonce.toString('base64'));
  cipher.setAAD(bound);
  const body = Buffer.concat([cipher.update(packed), cipher.final(), cipher.getAuthTag()]);
  const head: Head = {
    scrypt: cost,
    nonce: nonce.toString('base64'),
    bytes: body.length,
    sha256: sha256(body),
  };
  const lines = `${MAGIC}${VERSION}\n${JSON.stringify(head)}\n`;
  return Buffer.concat([Buffer.from(`${lines}${hmac(keys.head, lines)}\n`), body]);
}

/** The content; `name` is the file, for messages. Throws `BackupUnreadable` or `PassphraseWrong`. */
export async function unseal(sealed: Uint8Array, passphrase: string, name: string): Promise<Uint8Array> {
  const { head, lines, check, body } = examineSeal(sealed, name);
  const keys = await deriveKeys(passphrase, head.scrypt);
  if (!timingSafeEqual(Buffer.from(hmac(keys.head, lines)), Buffer.from(check))) throw wrongPassphrase(name);
  try {
    const decipher = createDecipheriv('aes-256-gcm', keys.content, Buffer.from(head.nonce, 'base64'));
    decipher.setAAD(associated(head.scrypt, head.nonce));
    decipher.setAuthTag(body.subarray(-TAG_BYTES));
    const packed = Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
    return await promisify(gunzip)(packed, { maxOutputLength: MAX_CONTENT_BYTES });
  } catch (cause) {
    throw unreadable(name, `its content was changed after it was made (${messageOf(cause)})`, cause);
  }
}

interface Examined {
  readonly head: Head;
  readonly lines: string;
  readonly check: string;
  readonly body: Buffer;
}

/** Everything that can be said without the passphrase; asked for only when the file could be opened with it. */
export function examineSeal(sealed: Uint8Array, name: string): Examined {
  const bytes = Buffer.from(sealed);
  const start = bytes.subarray(0, 4096).toString('latin1');
  const version = /^gateway backup (\d{1,9})\n/.exec(start)?.[1];
  if (version === undefined) {
    const isCut = `${MAGIC}${VERSION}\n`.startsWith(start);
    throw unreadable(name, isCut ? 'it is empty or cut off' : 'it is not a backup of a gateway');
  }
  if (Number(version) !== VERSION) {
    throw unreadable(
      name,
      `a later version of gateway made it (form ${version}; this version knows ${VERSION})`,
    );
  }
  const match = /^(gateway backup 1\n(\{[^\n]*\})\n)([0-9a-f]{64})\n/.exec(start);
  if (match === null) throw unreadable(name, 'its first lines are cut off or damaged');
  const [whole, lines = '', json = '', check = ''] = match;
  const head = parseHead(json, name);
  const body = bytes.subarray(whole.length);
  if (body.length < head.bytes) {
    throw unreadable(name, `it is cut off: ${body.length} of ${head.bytes} bytes are there`);
  }
  if (body.length > head.bytes || sha256(body) !== head.sha256) throw unreadable(name, 'it is damaged');
  return { head, lines, check, body };
}

function parseHead(json: string, name: string): Head {
  try {
    return Head.parse(JSON.parse(json));
  } catch (cause) {
    throw unreadable(name, 'its second line is damaged', cause);
  }
}

async function deriveKeys(passphrase: string, { log2N, r, p, salt }: Head['scrypt']) {
  const N = 2 ** log2N;
  const options = { N, r, p, maxmem: 256 * N * r };
  const derive = promisify<string, Buffer, number, typeof options, Buffer>(scrypt);
  // One spelling for one passphrase, on every keyboard.
  const both = await derive(passphrase.normalize('NFC'), Buffer.from(salt, 'base64'), 64, options);
  return { head: both.subarray(0, 32), content: both.subarray(32) };
}

function associated(cost: Head['scrypt'], nonce: string): Buffer {
  return Buffer.from(JSON.stringify([MAGIC, VERSION, cost.log2N, cost.r, cost.p, cost.salt, nonce]));
}

function hmac(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function unreadable(name: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError(`${name} cannot be used: ${why}; nothing was changed`, {
    code: 'BackupUnreadable',
    retry: 'never',
    hint: 'use another copy of the file, or an earlier backup',
    ...(cause === undefined ? {} : { cause }),
  });
}

function wrongPassphrase(name: string): GatewayError {
  return new GatewayError(`the passphrase does not open ${name}; nothing was changed`, {
    code: 'PassphraseWrong',
    retry: 'never',
    hint: 'type the passphrase that was set, or shown, when this file was made; there is no other way to open it',
  });
}
