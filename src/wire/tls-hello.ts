/**
 * The first message of a TLS 1.2 handshake (RFC 5246 7.4.1.2), made by hand so that somebody else can carry it. TLS 1.2 on
 * purpose: there the server's answer in the clear holds its certificate and a signature over our random, which nobody can
 * make but who has the certificate's key. In TLS 1.3 both are encrypted to whoever carries it.
 */
const RECORD_HANDSHAKE = 22;
const RECORD_ALERT = 21;
const CLIENT_HELLO = 1;
const TLS_1_0 = 0x0301;
const TLS_1_2 = 0x0303;

/** Forward secret ones that sign: ECDHE with ECDSA or RSA, AES-GCM and ChaCha20 (RFC 5289, RFC 7905). */
const CIPHER_SUITES = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8];
/** x25519, P-256, P-384. */
const GROUPS = [0x001d, 0x0017, 0x0018];
/** What node:crypto can check: ECDSA, RSA-PSS and PKCS#1 with SHA-256, -384, -512 (RFC 8446 4.2.3). */
const SIGNATURES = [0x0403, 0x0503, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601];

const EXTENSION = {
  serverName: 0,
  groups: 10,
  pointFormats: 11,
  signatures: 13,
  extendedMaster: 23,
} as const;

/**
 * The hello, and behind it the word that we are done: the server sends its answer, reads that, and ends. `random` has 32
 * bytes and must be new each time; `name` is a DNS name, absent for a server that is known by its address (RFC 6066 3).
 */
export function encodeClientHello(name: string | undefined, random: Uint8Array): Uint8Array {
  const body = concat([
    number(TLS_1_2, 2),
    random,
    sized(new Uint8Array(), 1),
    sized(numbers(CIPHER_SUITES), 2),
    // No compression.
    sized(number(0, 1), 1),
    sized(concat(extensionsFor(name)), 2),
  ]);
  const hello = concat([number(CLIENT_HELLO, 1), sized(body, 3)]);
  return concat([record(RECORD_HANDSHAKE, TLS_1_0, hello), goodbye()]);
}

function serverName(name: string): Uint8Array {
  const host = concat([number(0, 1), sized(new TextEncoder().encode(name), 2)]);
  return extension(EXTENSION.serverName, sized(host, 2));
}

function extensionsFor(name: string | undefined): Uint8Array[] {
  return [
    ...(name === undefined ? [] : [serverName(name)]),
    extension(EXTENSION.groups, sized(numbers(GROUPS), 2)),
    extension(EXTENSION.pointFormats, sized(number(0, 1), 1)),
    extension(EXTENSION.signatures, sized(numbers(SIGNATURES), 2)),
    extension(EXTENSION.extendedMaster, new Uint8Array()),
  ];
}

/** Warning, close_notify (RFC 5246 7.2.1). */
function goodbye(): Uint8Array {
  return record(RECORD_ALERT, TLS_1_2, Uint8Array.of(1, 0));
}

function record(type: number, version: number, content: Uint8Array): Uint8Array {
  return concat([number(type, 1), number(version, 2), sized(content, 2)]);
}

function extension(type: number, content: Uint8Array): Uint8Array {
  return concat([number(type, 2), sized(content, 2)]);
}

/** With its length before it, in as many bytes. */
function sized(content: Uint8Array, bytes: number): Uint8Array {
  return concat([number(content.length, bytes), content]);
}

function numbers(values: readonly number[]): Uint8Array {
  return concat(values.map((value) => number(value, 2)));
}

function number(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (value >>> (8 * (bytes - 1 - index))) & 0xff);
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
