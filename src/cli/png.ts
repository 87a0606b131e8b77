import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** One bit a pixel, grey: 1 is white (PNG specification, 11.2.2). */
const BIT_DEPTH = 1;

/** A square picture in black and white, as PNG. */
export function renderPng(pixels: number, isBlack: (row: number, column: number) => boolean): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(pixels, 0);
  header.writeUInt32BE(pixels, 4);
  header.writeUInt8(BIT_DEPTH, 8);
  const stride = 1 + Math.ceil(pixels / 8);
  // Each line begins with its filter, which is 0: none.
  const lines = Buffer.alloc(stride * pixels);
  for (let row = 0; row < pixels; row += 1) {
    for (let column = 0; column < pixels; column += 1) {
      const at = row * stride + 1 + (column >> 3);
      if (!isBlack(row, column)) lines[at] = (lines[at] ?? 0) | (0x80 >> (column & 7));
    }
  }
  const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(lines)), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([SIGNATURE, ...chunks]);
}

/** Length, name, data, checksum of name and data. */
function chunk(name: string, data: Uint8Array): Uint8Array {
  const covered = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(covered));
  return Buffer.concat([length, covered, sum]);
}
