/** Versions of tor (new scheme of tor's version-spec: `0.4.9.11`, `0.4.9.3-alpha`). Pure. */
export interface TorVersion {
  /** As it is written, without what follows in parentheses. */
  readonly text: string;
  readonly numbers: readonly number[];
  /** `alpha`, `rc`, `dev`: comes before the release of the same numbers. */
  readonly isRelease: boolean;
}

/** The first in which a rendezvous point cannot pose as the onion service that it connects to (tor issue 41297). */
export const MINIMUM_VERSION = '0.4.9.11';

/** From `tor --version`, `GETINFO version`, or the version alone. */
export function parseTorVersion(text: string): TorVersion | undefined {
  const match = /(?:^|\s)(\d+\.\d+\.\d+\.\d+)((?:-[A-Za-z0-9]+)*)/.exec(text);
  const [, digits, suffix = ''] = match ?? [];
  if (digits === undefined) return undefined;
  return {
    text: `${digits}${suffix}`,
    numbers: digits.split('.').map(Number),
    isRelease: !/-(?:alpha|beta|rc|dev)/.test(suffix),
  };
}

export function isOlder(version: TorVersion, than: TorVersion): boolean {
  for (const [index, number] of version.numbers.entries()) {
    const other = than.numbers[index] ?? 0;
    if (number !== other) return number < other;
  }
  return !version.isRelease && than.isRelease;
}

/** `0.4.9` */
export function seriesOf({ numbers }: TorVersion): string {
  return numbers.slice(0, 3).join('.');
}
