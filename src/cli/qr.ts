import { create, toBuffer, toString } from 'qrcode';
import { GatewayError } from '../core/errors.ts';

/** White on every side, without which phones do not find the code (ISO/IEC 18004, 4 modules). */
const QUIET_ZONE = 4;
const COLUMNS = 80;
/** A code with more modules a side is drawn with less redundancy: larger modules help a camera more. */
const LARGE = 49;
const PIXELS_PER_MODULE = 8;
const COLORS = { dark: '#000000ff', light: '#ffffffff' } as const;

/** True black on true white, whatever the theme calls black and white; the end of a line goes back to the theme. */
const PAPER = '\x1b[38;5;16;48;5;231m';
const PLAIN = '\x1b[0m';
/** Foreground is black; upper and lower module of a character. */
const HALVES = { '00': ' ', '10': '▀', '01': '▄', '11': '█' } as const;

type Level = 'L' | 'M';

function levelFor(text: string): Level {
  return create(text, { errorCorrectionLevel: 'M' }).modules.size > LARGE ? 'L' : 'M';
}

/** Drawn with half blocks; every line ends with a newline. Throws when it is wider than 80 columns. */
export function terminalQr(text: string): string {
  const { modules } = create(text, { errorCorrectionLevel: levelFor(text) });
  const width = modules.size + 2 * QUIET_ZONE;
  if (width > COLUMNS) throw tooWide(text, width);
  const isBlack = (row: number, column: number): boolean => {
    const [y, x] = [row - QUIET_ZONE, column - QUIET_ZONE];
    const isInside = y >= 0 && x >= 0 && y < modules.size && x < modules.size;
    return isInside && modules.get(y, x) === 1;
  };
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

export async function pngQr(text: string): Promise<Uint8Array> {
  const options = { margin: QUIET_ZONE, scale: PIXELS_PER_MODULE, color: COLORS };
  return toBuffer(text, { ...options, type: 'png', errorCorrectionLevel: levelFor(text) });
}

export function svgQr(text: string): Promise<string> {
  const options = { margin: QUIET_ZONE, color: COLORS };
  return toString(text, { ...options, type: 'svg', errorCorrectionLevel: levelFor(text) });
}

function tooWide(text: string, width: number): GatewayError {
  return new GatewayError(
    `a code for ${text.length} characters is ${width} columns wide and does not fit a terminal`,
    { code: 'NotSupported', retry: 'never', hint: 'save it as a picture: --png FILE or --svg FILE' },
  );
}
