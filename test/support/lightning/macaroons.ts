import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { counted, identifierOf } from '../macaroons.ts';

/**
 * Macaroons as a node makes and checks them (macaroon.v2, the chain of HMACs), written from the format's description:
 * independent of src/wire/macaroon.ts. Caveats are in the chain; none is ever fulfilled.
 */
export class MacaroonBakery {
  readonly #rootKeys = new Map<string, Buffer>([['0', randomBytes(32)]]);

  bake(rootKeyId: string, permissions: Readonly<Record<string, readonly string[]>>): Buffer {
    const rootKey = this.#rootKeys.get(rootKeyId) ?? randomBytes(32);
    this.#rootKeys.set(rootKeyId, rootKey);
    const identifier = identifierOf(rootKeyId, permissions);
    const end = Buffer.from([0]);
    const head = [Buffer.from([2]), counted(1, 'lnd'), counted(2, identifier), end, end];
    return Buffer.concat([...head, counted(6, signatureOf(rootKey, identifier))]);
  }

  get rootKeyIds(): string[] {
    return [...this.#rootKeys.keys()];
  }

  deleteRootKey(id: string): boolean {
    return this.#rootKeys.delete(id);
  }

  /** `entity:action` of all that it allows, or why it is refused. */
  verify(bytes: Buffer): { readonly allowed: ReadonlySet<string> } | { readonly refused: string } {
    const fields = fieldsOf(bytes);
    if (bytes[0] !== 2 || fields === undefined) return { refused: 'cannot decode macaroon' };
    const identifier = fields.find(({ tag }) => tag === 2)?.data;
    const signature = fields.find(({ tag }) => tag === 6)?.data;
    if (identifier === undefined || signature?.length !== 32) return { refused: 'cannot decode macaroon' };
    if (fields.filter(({ tag }) => tag === 2).length > 1) return { refused: 'caveat not satisfied' };
    const { rootKeyId, allowed } = readIdentifier(identifier);
    const rootKey = this.#rootKeys.get(rootKeyId);
    if (rootKey === undefined) return { refused: 'cannot get macaroon: root key with id doesn’t exist' };
    const isOurs = timingSafeEqual(signatureOf(rootKey, identifier), signature);
    return isOurs
      ? { allowed }
      : { refused: 'verification failed: signature mismatch after caveat verification' };
  }
}

function signatureOf(rootKey: Buffer, identifier: Buffer): Buffer {
  const key = createHmac('sha256', 'macaroons-key-generator').update(rootKey).digest();
  return createHmac('sha256', key).update(identifier).digest();
}

interface Field {
  readonly tag: number;
  readonly data: Buffer;
}

/** Tag, length, data; a tag of 0 ends a section. */
function fieldsOf(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  let at = 1;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    at += 1;
    if (tag === 0) continue;
    const { value: length, next } = varint(bytes, at);
    if (next + length > bytes.length) return undefined;
    fields.push({ tag, data: bytes.subarray(next, next + length) });
    at = next + length;
  }
  return fields;
}

function varint(bytes: Buffer, from: number): { value: number; next: number } {
  const low = bytes[from] ?? 0;
  if (low < 128) return { value: low, next: from + 1 };
  return { value: (low & 127) | ((bytes[from + 1] ?? 0) << 7), next: from + 2 };
}

/** Bakery's version 3: a byte, then a protobuf of nonce (1), root key id (2), operations (3: entity, actions). */
function readIdentifier(identifier: Buffer): { rootKeyId: string; allowed: Set<string> } {
  const allowed = new Set<string>();
  let rootKeyId = '';
  for (const { tag, data } of messageOf(identifier.subarray(1))) {
    if (tag === 0x12) rootKeyId = data.toString();
    if (tag !== 0x1a) continue;
    const parts = messageOf(data);
    const entity = parts.find((part) => part.tag === 0x0a)?.data.toString() ?? '';
    for (const part of parts) if (part.tag === 0x12) allowed.add(`${entity}:${part.data.toString()}`);
  }
  return { rootKeyId, allowed };
}

function messageOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const { value: length, next } = varint(bytes, at + 1);
    fields.push({ tag: bytes[at] ?? 0, data: bytes.subarray(next, next + length) });
    at = next + length;
  }
  return fields;
}
