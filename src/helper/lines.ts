const NEWLINE = 0x0a;

/** Cuts a byte stream into lines; a line that grows beyond the limit is reported instead of kept. */
export class LineReader {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whole lines so far, or `undefined` once one is too long; then nothing more can be read. */
  push(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (this.#size + (end === -1 ? chunk.length : end) - start > this.#maxBytes) return undefined;
      if (end === -1) break;
      lines.push(Buffer.concat([...this.#parts, chunk.subarray(start, end)]).toString('utf8'));
      this.#parts = [];
      this.#size = 0;
      start = end + 1;
    }
    this.#parts.push(chunk.subarray(start));
    this.#size += chunk.length - start;
    return lines;
  }
}
