/**
 * Macaroons in the binary format 2 (libmacaroons, macaroon.v2), with the identifier that LND gives them: what is allowed,
 * and which root key signed it. Nothing is verified here: that takes LND's own key.
 */
export interface Macaroon {
  readonly location: string;
  /** Which of LND's root keys signed it; deleting that key revokes it. Empty when it cannot be told. */
  readonly rootKeyId: string;
  readonly permissions: readonly Permission[];
  /** Conditions that narrow it: 'time-before 2027-01-01T00:00:00Z'. */
  readonly caveats: readonly string[];
}

export interface Permission {
  /** 'offchain', 'macaroon', 'uri' … */
  readonly entity: string;
  /** 'read', 'write', 'generate', or the path of a call when the entity is 'uri'. */
  readonly action: string;
}

const VERSION = 2;
const FIELD = { end: 0, location: 1, identifier: 2, verification: 4, signature: 6 } as const;
const SIGNATURE_BYTES = 32;
/** The bakery's identifier, version 3: this byte, then a protobuf. */
const BAKERY_VERSION = 3;

/** Never throws: `undefined` for everything that is not exactly one macaroon. */
export function parseMacaroon(bytes: Uint8Array): Macaroon | undefined {
  const reader = new Reader(bytes);
  if (reader.byte() !== VERSION) return undefined;
  const head = section(reader);
  const identifier = head?.get(FIELD.identifier);
  if (head === undefined || identifier === undefined) return undefined;
  const caveats: string[] = [];
  for (;;) {
    const caveat = section(reader);
    if (caveat === undefined) return undefined;
    if (caveat.size === 0) break;
    const condition = caveat.get(FIELD.identifier);
    if (condition === undefined) return undefined;
    caveats.push(textOf(condition));
  }
  const isSigned = reader.varint() === FIELD.signature && reader.bytes()?.length === SIGNATURE_BYTES;
  if (!isSigned || !reader.isAtEnd) return undefined;
  const location = textOf(head.get(FIELD.location) ?? new Uint8Array());
  return { location, caveats, ...readIdentifier(identifier) };
}

/** Who holds it can make others for anything, which outlive it. */
export function isAdmin({ permissions }: Pick<Macaroon, 'permissions'>): boolean {
  return permissions.some(({ entity, action }) =>
    entity === 'uri' ? /BakeMacaroon|\*/.test(action) : entity === 'macaroon' && action !== 'read',
  );
}

/** Fields up to the end mark, by number; `undefined` when they are not well formed. */
function section(reader: Reader): ReadonlyMap<number, Uint8Array> | undefined {
  const fields = new Map<number, Uint8Array>();
  let last = 0;
  for (;;) {
    const type = reader.varint();
    if (type === FIELD.end) return fields;
    const isKnown = type === FIELD.location || type === FIELD.identifier || type === FIELD.verification;
    // Each at most once, in order.
    if (type === undefined || !isKnown || type <= last) return undefined;
    const data = reader.bytes();
    if (data === undefined) return undefined;
    fields.set(type, data);
    last = type;
  }
}

function readIdentifier(identifier: Uint8Array): Pick<Macaroon, 'rootKeyId' | 'permissions'> {
  const nothing = { rootKeyId: '', permissions: [] };
  if (identifier[0] !== BAKERY_VERSION) return nothing;
  const fields = messageOf(identifier.subarray(1));
  if (fields === undefined) return nothing;
  const [rootKey] = fields.filter(({ number }) => number === 2);
  const permissions = fields.filter(({ number }) => number === 3).flatMap(({ data }) => permissionsOf(data));
  return { rootKeyId: rootKey === undefined ? '' : textOf(rootKey.data), permissions };
}

function permissionsOf(data: Uint8Array): Permission[] {
  const fields = messageOf(data) ?? [];
  const entity = textOf(fields.find(({ number }) => number === 1)?.data ?? new Uint8Array());
  return fields.filter(({ number }) => number === 2).map((field) => ({ entity, action: textOf(field.data) }));
}

interface Field {
  readonly number: number;
  readonly data: Uint8Array;
}

/** A protobuf message of length-delimited fields, which is all that is used here. */
function messageOf(bytes: Uint8Array): Field[] | undefined {
  const reader = new Reader(bytes);
  const fields: Field[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.varint() ?? 0;
    const data = (tag & 7) === 2 ? reader.bytes() : undefined;
    if (data === undefined) return undefined;
    fields.push({ number: tag >>> 3, data });
  }
  return fields;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number | undefined {
    const value = this.#bytes[this.#at];
    this.#at += 1;
    return value;
  }

  /** At most four bytes: nothing here is longer than that can say. */
  varint(): number | undefined {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      if (byte === undefined) return undefined;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return undefined;
  }

  /** A length, then as many bytes. */
  bytes(): Uint8Array | undefined {
    const length = this.varint();
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
