import { createCipheriv, createDecipheriv } from 'node:crypto';

const CIPHER = 'chacha20-poly1305';
const NONCE = new Uint8Array(12);
const TAG_BYTES = 16;

export function seal(key: Uint8Array, data: Uint8Array, authenticated: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
  cipher.setAAD(authenticated, { plaintextLength: data.length });
  const sealed = Buffer.concat([cipher.update(data), cipher.final()]);
  return Uint8Array.from(Buffer.concat([sealed, cipher.getAuthTag()]));
}

export function open(key: Uint8Array, sealed: Uint8Array, authenticated: Uint8Array): Uint8Array | undefined {
  const length = sealed.length - TAG_BYTES;
  if (length < 0) return undefined;
  const decipher = createDecipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(authenticated, { plaintextLength: length });
  decipher.setAuthTag(sealed.subarray(length));
  const data = decipher.update(sealed.subarray(0, length));
  try {
    return Uint8Array.from(Buffer.concat([data, decipher.final()]));
  } catch {
    // The only failure that is left: the tag is not the one of this text and key.
    return undefined;
  }
}
