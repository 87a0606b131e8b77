/**
 * BLAKE2s (RFC 7693), keyed too: OpenSSL hashes with it, but its keyed form (WireGuard's `mac1`) cannot be had from
 * node:crypto. Only for what WireGuard's handshake needs; not in constant time, nor does it have to be.
 */
const IV = Uint32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

/** Message words of each round (RFC 7693 2.7). */
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
] as const;

/** The four words that each of the eight mixings of a round works on. */
const MIXINGS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

export const BLOCK_BYTES = 64;

/** `length` bytes (32 unless said), with a key of at most 32 bytes. */
export function blake2s(data: Uint8Array, length = 32, key: Uint8Array = new Uint8Array()): Uint8Array {
  const state = Uint32Array.from(IV);
  state[0] = word(state, 0) ^ 0x01010000 ^ (key.length << 8) ^ length;
  const input = key.length === 0 ? data : concat(padded(key), data);
  const last = Math.max(Math.ceil(input.length / BLOCK_BYTES), 1) - 1;
  for (let index = 0; index <= last; index += 1) {
    const block = padded(input.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES));
    const count = index === last ? input.length : (index + 1) * BLOCK_BYTES;
    compress(state, block, count, index === last);
  }
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((value, index) => out.setUint32(index * 4, value, true));
  return new Uint8Array(out.buffer, 0, length);
}

function compress(state: Uint32Array, block: Uint8Array, count: number, isLast: boolean): void {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  const v = Uint32Array.of(...state, ...IV);
  v[12] = word(v, 12) ^ count;
  if (isLast) v[14] = ~word(v, 14);
  for (const order of SIGMA) {
    MIXINGS.forEach(([a, b, c, d], index) => {
      const x = view.getUint32((order[2 * index] ?? 0) * 4, true);
      const y = view.getUint32((order[2 * index + 1] ?? 0) * 4, true);
      v[a] = word(v, a) + word(v, b) + x;
      v[d] = rotate(word(v, d) ^ word(v, a), 16);
      v[c] = word(v, c) + word(v, d);
      v[b] = rotate(word(v, b) ^ word(v, c), 12);
      v[a] = word(v, a) + word(v, b) + y;
      v[d] = rotate(word(v, d) ^ word(v, a), 8);
      v[c] = word(v, c) + word(v, d);
      v[b] = rotate(word(v, b) ^ word(v, c), 7);
    });
  }
  for (let index = 0; index < 8; index += 1) {
    state[index] = word(state, index) ^ word(v, index) ^ word(v, index + 8);
  }
}

function word(words: Uint32Array, index: number): number {
  return words[index] ?? 0;
}

function rotate(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits));
}

function padded(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(bytes);
  return block;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
