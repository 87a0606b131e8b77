import { createRequire } from 'node:module';
import type { QRCode, QRCodeOptions } from 'qrcode';
import { GatewayError } from '../core/errors.ts';
import { renderPng } from './png.ts';

/** Without what draws: those parts of the package take as long to load as a whole code to be made. */
const { create } = createRequire(import.meta.url)('qrcode/lib/core/qrcode.js') as {
  readonly create: (text: string, options: QRCodeOptions) => QRCode;
};

/** White on every side, without which phones do not find the code (ISO/IEC 18004, 4 modules). */
const QUIET_ZONE = 4;
const COLUMNS = 80;
/** A code with more modules a side is drawn with less redundancy: larger modules help a camera more. */
const LARGE = 49;
const PIXELS_PER_MODULE = 8;

/** True black on true white, whatever the theme calls black and white; the end of a line goes back to the theme. */
const PAPER = '\x1b[38;5;16;48;5;231m';
const PLAIN = '\x1b[0m';
/** Foreground is black; upper and lower module of a character. */
const HALVES = { '00': ' ', '10': '▀', '01': '▄', '11': '█' } as const;

/** Which mask is best takes the most time to find out, and does not matter for the size. */
const ANY_MASK = 0;

function codeOf(text: string): QRCode['modules'] {
  const { size } = create(text, { errorCorrectionLevel: 'M', maskPattern: ANY_MASK }).modules;
  return create(text, { errorCorrectionLevel: size > LARGE ? 'L' : 'M' }).modules;
}

/** With the white around it, from 0 to `width` in both directions. */
function drawingOf(text: string): {
  readonly width: number;
  readonly isBlack: (row: number, column: number) => boolean;
} {
  const modules = codeOf(text);
  const isBlack = (row: number, column: number): boolean => {
    const [y, x] = [row - QUIET_ZONE, column - QUIET_ZONE];
    const isInside = y >= 0 && x >= 0 && y < modules.size && x < modules.size;
    return isInside && modules.get(y, x) === 1;
  };
  return { width: modules.size + 2 * QUIET_ZONE, isBlack };
}

/** Drawn with half blocks; every line ends with a newline. Throws when it is wider than 80 columns. */
export function terminalQr(text: string): string {
  const { width, isBlack } = drawingOf(text);
  if (width > COLUMNS) throw tooWide(text, width);
  let drawn = '';
  for (let row = 0; row < width; row += 2) {
    drawn += PAPER;
    for (let column = 0; column < width; column += 1) {
      drawn += HALVES[`${isBlack(row, column) ? 1 : 0}${isBlack(row + 1, column) ? 1 : 0}`];
    }
    drawn += `${PLAIN}\n`;
  }
  return drawn;
}

export function pngQr(text: string): Uint8Array {
  const { width, isBlack } = drawingOf(text);
  const module = (pixel: number): number => Math.floor(pixel / PIXELS_PER_MODULE);
  return renderPng(width * PIXELS_PER_MODULE, (row, column) => isBlack(module(row), module(column)));
}

/** Black are the modules, a row's neighbours in one stroke; white is a square below. */
export function svgQr(text: string): string {
  const { width, isBlack } = drawingOf(text);
  let path = '';
  for (let row = 0; row < width; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const from = column;
      while (isBlack(row, column)) column += 1;
      if (column > from) path += `M${from} ${row}h${column - from}v1h${from - column}z`;
    }
  }
  const box = `viewBox="0 0 ${width} ${width}" shape-rendering="crispEdges"`;
  const white = `<path fill="#ffffff" d="M0 0h${width}v${width}H0z"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${box}>${white}<path fill="#000000" d="${path}"/></svg>\n`;
}

function tooWide(text: string, width: number): GatewayError {
  return new GatewayError(
    `a code for ${text.length} characters is ${width} columns wide and does not fit a terminal`,
    { code: 'NotSupported', retry: 'never', hint: 'save it as a picture: --png FILE or --svg FILE' },
  );
}
