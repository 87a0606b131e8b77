import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pngQr, svgQr, terminalQr } from '../../src/cli/qr.ts';
import { environmentOutside } from '../../src/lab/places.ts';
import { run } from '../../src/system/run.ts';
import { encodeKey, renderConf } from '../../src/wire/wireguard.ts';
import { zxing } from '../support/zxing.ts';

const key = (fill: number): string => encodeKey(new Uint8Array(32).fill(fill));
/** As long as a device's configuration gets in practice. */
const CONF = renderConf({
  privateKey: key(17),
  address: '10.127.136.254',
  mtu: 1280,
  peerPublicKey: key(28),
  presharedKey: key(39),
  allowedIps: ['10.127.128.0/20'],
  endpoint: 'a-rather-long-name.home.example.net:51820',
  persistentKeepaliveSeconds: 25,
});
const TEXTS = [CONF, `http://${'abcdefg2'.repeat(7)}.onion`, 'http://10.64.1.2'];

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'gwt-'))));
afterAll(() => rm(folder, { recursive: true }));

async function scan(picture: Uint8Array, name: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, picture);
  const options = { signal: AbortSignal.timeout(10_000), env: environmentOutside() };
  const { stdout } = await run(['zbarimg', '-q', '--raw', '--nodbus', file], options);
  // zbarimg adds a newline of its own.
  return stdout.slice(0, -1);
}

const BLACK_ON_WHITE = '\x1b[38;5;16;48;5;231m';
const PLAIN = '\x1b[0m';

/** The colours are not columns. */
function cellsOf(line: string): string {
  return line.slice(BLACK_ON_WHITE.length, -PLAIN.length);
}

/** What a screen shows: a portable bitmap with four pixels a module, in the colours that the text asks for. */
function photograph(drawn: string): Uint8Array {
  const rows = drawn.trimEnd().split('\n');
  const pixels = rows.flatMap((line) => {
    expect(line.startsWith(BLACK_ON_WHITE) && line.endsWith(PLAIN)).toBe(true);
    const characters = cellsOf(line).split('');
    const upper = characters.map((character) => '▀█'.includes(character));
    const lower = characters.map((character) => '▄█'.includes(character));
    return [upper, lower];
  });
  const widen = (row: readonly boolean[]): string => row.map((black) => (black ? '1111' : '0000')).join('');
  const bits = pixels.flatMap((row) => Array.from({ length: 4 }, () => widen(row)));
  return Buffer.from(`P1\n${(pixels[0]?.length ?? 0) * 4} ${bits.length}\n${bits.join('\n')}\n`);
}

/** The squares that the picture fills with black, four pixels a module. */
function rasterise(svg: string): Uint8Array {
  const width = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1]);
  const black = new Set<string>();
  for (const [, x, y, run] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let each = 0; each < Number(run); each += 1) black.add(`${Number(x) + each} ${y}`);
  }
  const pixels = Array.from({ length: 4 * width }, (_, index) => Math.floor(index / 4));
  const lines = pixels.map((y) => pixels.map((x) => (black.has(`${x} ${y}`) ? '1' : '0')).join(''));
  return Buffer.from(`P1\n${4 * width} ${4 * width}\n${lines.join('\n')}\n`);
}

describe.each(TEXTS)('a code for %j', (text) => {
  it('is read from the picture, byte for byte', async () => {
    const picture = pngQr(text);
    expect(await scan(picture, 'code.png')).toBe(text);
    expect(await zxing(picture)).toBe(text);
  });

  it('is read from the terminal, byte for byte', async () => {
    expect(await scan(photograph(terminalQr(text)), 'terminal.pbm')).toBe(text);
  });

  it('fits 80 columns, with white on every side', () => {
    const lines = terminalQr(text).trimEnd().split('\n');
    const cells = lines.map(cellsOf);
    for (const row of cells) {
      expect(row.length).toBeLessThanOrEqual(80);
      expect(row).toMatch(/^ {4}.* {4}$/);
    }
    expect(cells.slice(0, 2).join('')).toMatch(/^ +$/);
    expect(cells.at(-1)).toMatch(/^[ ▀]*$/);
  });

  it('is an SVG with its own white background', () => {
    const svg = svgQr(text);
    expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 (\d+) \1"/);
    expect(svg).toContain('fill="#ffffff"');
  });

  it('is read from the SVG, byte for byte', async () => {
    expect(await scan(rasterise(svgQr(text)), 'code.pbm')).toBe(text);
  });
});

it('says what to do when a text is too long for a terminal', async () => {
  const text = 'x'.repeat(500);
  expect(() => terminalQr(text)).toThrow('does not fit a terminal');
  expect(await scan(pngQr(text), 'long.png')).toBe(text);
});
