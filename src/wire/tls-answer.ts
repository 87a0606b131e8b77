/**
 * What a TLS 1.2 server says to our hello (tls-hello.ts), as far as it proves who it is. The bytes come from whoever
 * carried them and are hostile: nothing here is believed before the signature was checked.
 */
export type TlsAnswer =
  | {
      readonly type: 'certificate';
      /** The server's own, DER. */
      readonly leaf: Uint8Array;
      /** SignatureScheme (RFC 8446 4.2.3). */
      readonly scheme: number;
      /** What must be signed: our random, the server's, and its key exchange (RFC 5246 7.4.3). */
      readonly signed: Uint8Array;
      readonly signature: Uint8Array;
    }
  /** It refused: `unrecognized_name`, `handshake_failure` … */
  | { readonly type: 'alert'; readonly name: string }
  /** TLS, but it ended before everything was said. */
  | { readonly type: 'cut' }
  /** No TLS at all. */
  | { readonly type: 'foreign' };

const RECORD = { alert: 21, handshake: 22 } as const;
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const MESSAGE = { serverHello: 2, certificate: 11, keyExchange: 12 } as const;
const RANDOM_BYTES = 32;
const NAMED_CURVE = 3;

const ALERTS: Readonly<Record<number, string>> = {
  0: 'close_notify',
  40: 'handshake_failure',
  47: 'illegal_parameter',
  50: 'decode_error',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  112: 'unrecognized_name',
};

/** `random` is the one that was in our hello. */
export function parseTlsAnswer(answer: Uint8Array, random: Uint8Array): TlsAnswer {
  const { handshake, alert, isForeign } = readRecords(answer);
  if (isForeign) return { type: 'foreign' };
  const messages = readMessages(handshake);
  const hello = messages.get(MESSAGE.serverHello);
  const chain = messages.get(MESSAGE.certificate);
  const exchange = messages.get(MESSAGE.keyExchange);
  if (hello === undefined || chain === undefined || exchange === undefined) {
    return alert === undefined ? { type: 'cut' } : { type: 'alert', name: alert };
  }
  // After two bytes of version.
  const theirs = hello.subarray(2, 2 + RANDOM_BYTES);
  const leaf = leafOf(chain);
  const said = readExchange(exchange);
  if (theirs.length !== RANDOM_BYTES || leaf === undefined || said === undefined) return { type: 'foreign' };
  const signed = Uint8Array.from([...random, ...theirs, ...said.parameters]);
  return { type: 'certificate', leaf, scheme: said.scheme, signed, signature: said.signature };
}

/** Handshake messages may be cut anywhere by records, and records by the end of what came. */
function readRecords(answer: Uint8Array): {
  handshake: Uint8Array;
  alert: string | undefined;
  isForeign: boolean;
} {
  const handshake: number[] = [];
  let alert: string | undefined;
  for (let at = 0; at < answer.length;) {
    const type = answer[at] ?? 0;
    const isTls = (type === RECORD.alert || type === RECORD.handshake) && (answer[at + 1] ?? 3) === 3;
    if (!isTls) return { handshake: new Uint8Array(), alert, isForeign: at === 0 };
    const content = answer.subarray(
      at + RECORD_HEADER_BYTES,
      at + RECORD_HEADER_BYTES + uint(answer, at + 3, 2),
    );
    if (type === RECORD.handshake) handshake.push(...content);
    else alert ??= ALERTS[content[1] ?? -1] ?? `alert ${content[1] ?? '?'}`;
    at += RECORD_HEADER_BYTES + uint(answer, at + 3, 2);
  }
  return { handshake: Uint8Array.from(handshake), alert, isForeign: answer.length === 0 };
}

/** Whole ones only; the first of each type counts. */
function readMessages(handshake: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const messages = new Map<number, Uint8Array>();
  for (let at = 0; at + HANDSHAKE_HEADER_BYTES <= handshake.length;) {
    const from = at + HANDSHAKE_HEADER_BYTES;
    const end = from + uint(handshake, at + 1, 3);
    if (end > handshake.length) break;
    const type = handshake[at] ?? 0;
    if (!messages.has(type)) messages.set(type, handshake.subarray(from, end));
    at = end;
  }
  return messages;
}

/** The list's length, then the first certificate with its own. */
function leafOf(chain: Uint8Array): Uint8Array | undefined {
  return vector(chain.subarray(3), 3);
}

/** ECDHE with a named curve (RFC 8422 5.4): the parameters as they are signed, and the signature. */
function readExchange(
  exchange: Uint8Array,
): { parameters: Uint8Array; scheme: number; signature: Uint8Array } | undefined {
  const point = vector(exchange.subarray(3), 1);
  if (exchange[0] !== NAMED_CURVE || point === undefined) return undefined;
  const end = 4 + point.length;
  const signature = vector(exchange.subarray(end + 2), 2);
  if (signature === undefined) return undefined;
  return { parameters: exchange.subarray(0, end), scheme: uint(exchange, end, 2), signature };
}

/** `undefined` unless all of it is there. */
function vector(data: Uint8Array, lengthBytes: number): Uint8Array | undefined {
  const length = uint(data, 0, lengthBytes);
  const content = data.subarray(lengthBytes, lengthBytes + length);
  return length > 0 && content.length === length ? content : undefined;
}

function uint(data: Uint8Array, at: number, bytes: number): number {
  let value = 0;
  for (let index = 0; index < bytes; index += 1) value = value * 256 + (data[at + index] ?? 0);
  return value;
}
