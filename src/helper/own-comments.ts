/**
 * What we write into a generated configuration about itself, and read back: JSON behind a prefix. Whoever may write the
 * file may write anything, so nothing is believed but its form.
 */
export function jsonAfter(lines: readonly string[], prefix: string): unknown {
  const line = lines.find((candidate) => candidate.startsWith(prefix));
  if (line === undefined) return undefined;
  try {
    return JSON.parse(line.slice(prefix.length));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export interface LeftOut {
  readonly service: string;
  readonly reason: string;
}

export function leftOutOf(value: unknown): LeftOut[] {
  const list = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return list.flatMap((item) =>
    typeof item === 'object' && item !== null && 'service' in item && 'reason' in item
      ? [{ service: String(item.service), reason: String(item.reason) }]
      : [],
  );
}
