import { Document, isMap, isScalar, stringify, visit, type Node, type Pair, type YAMLMap } from 'yaml';

/** Where the pieces of a YAML text begin and end, and how new ones are written so that they look like the old. */
export type Block = YAMLMap<Node, Node | null>;
export type Entry = Pair<Node, Node | null>;

/** Maps this deep (the options of one way) are written on one line: `tor: { port: 80 }`. */
export const INLINE_DEPTH = 4;

export interface Style {
  readonly eol: string;
  /** Spaces of one level, as the file has them. */
  readonly indent: number;
}

export function styleOf(text: string, document: Document): Style {
  const first = isMap<Node, Node | null>(document.contents)
    ? document.contents.items
        .map((entry) => entry.value)
        .find((node) => isMap<Node, Node | null>(node) && node.flow !== true)
    : undefined;
  const inner = isMap<Node, Node | null>(first) ? first.items[0] : undefined;
  const indent = inner === undefined ? 2 : columnOf(text, startOf(inner.key));
  return { eol: text.includes('\r\n') ? '\r\n' : '\n', indent: Math.min(Math.max(indent, 1), 8) };
}

export function nest(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, key) => ({ [key]: inner }), value);
}

/** Block text of a section, without indentation of its own and without the last line break. */
export function render(value: unknown, depth: number, style: Style): string {
  const document = new Document(value, { schema: 'core' });
  visit(document, {
    Map: (_key, node, path) => {
      const level = depth + path.filter((parent) => isMap(parent)).length;
      if (level >= INLINE_DEPTH || node.items.length === 0) node.flow = true;
    },
    Seq: (_key, node) => {
      node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, indent: style.indent }).trimEnd();
}

export function renderInline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

export function append(text: string, addition: string, eol: string): string {
  const before = text === '' || text.endsWith('\n') ? text : `${text}${eol}`;
  return `${before}${addition.replaceAll('\n', eol)}${eol}`;
}

export function entryOf(block: Block, key: string): Entry | undefined {
  return block.items.find((entry) => keyOf(entry) === key);
}

export function keyOf(entry: Entry): string | undefined {
  return isScalar(entry.key) ? String(entry.key.value) : undefined;
}

export function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

/** Where the last thing inside ends: a comment behind it is not part of it. */
export function endOf(entry: Entry): number {
  const { value } = entry;
  if (isMap<Node, Node | null>(value) && value.flow !== true) {
    const last = value.items.at(-1);
    if (last !== undefined) return endOf(last);
  }
  return Math.max(value?.range?.[1] ?? 0, entry.key.range?.[1] ?? 0);
}

export function trimmedEnd(text: string, end: number): number {
  return end - (/\s*$/.exec(text.slice(0, end))?.[0].length ?? 0);
}

export function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf('\n', offset - 1) + 1);
}

export function endOfLine(text: string, offset: number): number {
  const at = text.indexOf('\n', offset);
  if (at < 0) return text.length;
  return text[at - 1] === '\r' ? at - 1 : at;
}

/** End of the last line that belongs to what ends at `end`: its own comment, and comments that are indented deeper. */
export function endOfOwned(text: string, end: number, column: number): number {
  let at = text[end - 1] === '\n' ? end : endOfLine(text, end);
  for (;;) {
    const next = /^(?:\r?\n)?([ \t]*)#[^\r\n]*/.exec(text.slice(at));
    if (next === null || (next[1] ?? '').length <= column) return at;
    at += next[0].length;
  }
}

export function indented(lines: string, column: number, eol: string): string {
  return lines
    .split('\n')
    .map((line) => (line === '' ? '' : `${' '.repeat(column)}${line}`))
    .join(eol);
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function splice(text: string, start: number, end: number, insertion: string): string {
  return text.slice(0, start) + insertion + text.slice(end);
}
