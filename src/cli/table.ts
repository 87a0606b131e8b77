/** Text in columns; no cell is ever cut, so a long one pushes its row apart rather than lose a letter. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

const CODES = { green: 32, red: 31, yellow: 33, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof CODES;

/** Colours, or nothing at all where they are not wanted. */
export type Paint = (colour: Colour, text: string) => string;

export function painter(hasColour: boolean): Paint {
  return (colour, text) => (hasColour ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text);
}
