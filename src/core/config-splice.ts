import { isMap, isScalar, visit, type Document, type Node } from 'yaml';
import {
  append,
  columnOf,
  endOf,
  endOfLine,
  endOfOwned,
  entryOf,
  indented,
  INLINE_DEPTH,
  isPlainObject,
  keyOf,
  nest,
  render,
  renderInline,
  splice,
  startOf,
  styleOf,
  trimmedEnd,
  type Block,
  type Entry,
  type Style,
} from './config-layout.ts';
import { parseConfigDocument } from './config-text.ts';
import { GatewayError } from './errors.ts';
import { canonical } from './plan.ts';

/**
 * Changes one value of a YAML text and leaves every other byte as it is: the owner's comments, order and spacing. The
 * result is read back and compared; where the text is laid out in a way that cannot be cut, the whole is printed anew.
 */
export type KeyPath = readonly [string, ...string[]];

export function put(text: string, path: KeyPath, value: unknown): string {
  const document = parse(text);
  const printed = (): string => edited(document, (copy) => copy.setIn(path, copy.createNode(value)));
  const expected = withValue(document.toJS(), path, value);
  return proven(putText(text, document, path, value), expected, printed);
}

export function drop(text: string, path: KeyPath): string {
  const document = parse(text);
  if (!document.hasIn(path)) return text;
  const printed = (): string => edited(document, (copy) => copy.deleteIn(path));
  const expected = withValue(document.toJS(), path, undefined);
  return proven(dropText(text, document, path), expected, printed);
}

/** Plain value at `path`; `undefined` when there is none. */
export function valueAt(text: string, path: readonly string[]): unknown {
  let value: unknown = parse(text).toJS();
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function parse(text: string): Document.Parsed {
  const { document } = parseConfigDocument(text);
  const [mistake] = document.errors;
  if (mistake === undefined && (document.contents === null || isMap(document.contents))) return document;
  throw new GatewayError(`gateway.yaml cannot be read: ${mistake?.message ?? 'it is not made of sections'}`, {
    code: 'ConfigInvalid',
    retry: 'when-changed',
    hint: 'mend the file, then try again: gateway plan names the line',
    cause: mistake,
  });
}

/** An edit through the library: right in every layout, but it prints the whole file in its own way. */
function edited(document: Document.Parsed, edit: (copy: Document) => void): string {
  const copy: Document = document.clone();
  if (copy.contents === null) copy.contents = copy.createNode({});
  fillEmptyMaps(copy);
  edit(copy);
  return copy.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** The sections with `value` at `path`, or without it; `undefined` where no section can hold it. */
function withValue(sections: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  const inner = sections ?? {};
  if (key === undefined || typeof inner !== 'object' || Array.isArray(inner)) return undefined;
  const { [key]: before, ...others } = inner as Record<string, unknown>;
  const [next] = rest;
  const after = next === undefined ? value : withValue(before, rest, value);
  if (next !== undefined && after === undefined) return undefined;
  return after === undefined ? others : { ...others, [key]: after };
}

/** `services:` with nothing behind it would refuse a key inside. */
function fillEmptyMaps(document: Document): void {
  visit(document, {
    Pair: (_key, pair) => {
      if (isScalar(pair.value) && pair.value.value === null) pair.value = document.createNode({});
    },
  });
}

/** `expected`: the plain value of what `printed` prints, which is asked only where the text could not be cut. */
function proven(result: string | undefined, expected: unknown, printed: () => string): string {
  if (result === undefined || expected === undefined) return printed();
  const { document } = parseConfigDocument(result);
  const isSame = document.errors.length === 0 && plain(document.toJS()) === plain(expected);
  return isSame ? result : printed();
}

/** Nothing behind a key and an empty section mean the same. */
function plain(value: unknown): string {
  return canonical(value).replaceAll('null', '{}');
}

function putText(text: string, document: Document.Parsed, path: KeyPath, value: unknown): string | undefined {
  const style = styleOf(text, document);
  if (document.contents === null) return append(text, render(nest(path, value), 0, style), style.eol);
  let block = document.contents as unknown as Block;
  for (const [depth, key] of path.entries()) {
    const entry = entryOf(block, key);
    const rest = path.slice(depth + 1);
    if (entry === undefined) return insert(text, block, nest([key, ...rest], value), depth, style);
    const inner = entry.value;
    if (rest.length === 0 || !isMap<Node, Node | null>(inner) || inner.items.length === 0) {
      const inside = rest.length === 0 ? value : nest(rest, value);
      return replace(text, { block, entry, value: inside, depth: depth + 1 }, style);
    }
    block = inner;
  }
  return undefined;
}

function insert(text: string, block: Block, value: unknown, depth: number, style: Style): string | undefined {
  const last = block.items.at(-1);
  if (last === undefined) return undefined;
  if (block.flow === true) {
    const addition = renderInline(value).replace(/^\{\s*|\s*\}$/g, '');
    return splice(text, endOf(last), endOf(last), `, ${addition}`);
  }
  const column = columnOf(text, startOf(last.key));
  const lines = indented(render(value, depth, style), column, style.eol);
  const at = endOfOwned(text, endOf(last), column);
  return splice(text, at, at, text[at - 1] === '\n' ? `${lines}${style.eol}` : `${style.eol}${lines}`);
}

interface Replacement {
  readonly block: Block;
  readonly entry: Entry;
  readonly value: unknown;
  readonly depth: number;
}

function replace(
  text: string,
  { block, entry, value, depth }: Replacement,
  style: Style,
): string | undefined {
  const keyEnd = entry.key.range?.[1] ?? 0;
  const isBlockValue = isPlainObject(value) && depth < INLINE_DEPTH && block.flow !== true;
  const kind = kindOf(entry.value);
  if (!isBlockValue && kind === 'inline' && startOf(entry.value) > keyEnd) {
    return splice(text, startOf(entry.value), endOf(entry), renderInline(value));
  }
  const colon = text.indexOf(':', keyEnd);
  if (colon < 0) return undefined;
  const end = kind === 'empty' ? colon + 1 : trimmedEnd(text, endOf(entry));
  if (!isBlockValue) return splice(text, colon + 1, end, ` ${renderInline(value)}`);
  const column = columnOf(text, startOf(entry.key)) + style.indent;
  const lineEnd = endOfLine(text, end);
  const comment = text.slice(end, lineEnd).trimEnd();
  const lines = indented(render(value, depth, style), column, style.eol);
  return splice(text, colon + 1, lineEnd, `${comment}${style.eol}${lines}`);
}

/** `inline`: stands on the line of its key, as a word or in brackets. */
function kindOf(value: Node | null): 'empty' | 'inline' | 'block' {
  if (isMap(value)) return value.flow === true ? 'inline' : 'block';
  if (!isScalar(value)) return 'block';
  return value.range?.[0] === value.range?.[1] ? 'empty' : 'inline';
}

function dropText(text: string, document: Document.Parsed, path: KeyPath): string | undefined {
  let block = document.contents as unknown as Block;
  let parent: Entry | undefined;
  for (const key of path.slice(0, -1)) {
    parent = entryOf(block, key);
    if (!isMap<Node, Node | null>(parent?.value)) return undefined;
    block = parent.value;
  }
  const index = block.items.findIndex((entry) => keyOf(entry) === path.at(-1));
  const entry = block.items[index];
  if (entry === undefined) return undefined;
  if (block.items.length === 1 && parent !== undefined) {
    const colon = text.indexOf(':', parent.key.range?.[1] ?? 0);
    const end = block.flow === true ? endOf(parent) : trimmedEnd(text, endOf(parent));
    return splice(text, colon + 1, end, ' {}');
  }
  if (block.flow === true) return dropInline(text, block, index);
  return dropLines(text, entry, index > 0);
}

function dropInline(text: string, block: Block, index: number): string | undefined {
  const [before, entry, after] = [block.items[index - 1], block.items[index], block.items[index + 1]];
  if (entry === undefined) return undefined;
  if (before !== undefined) return splice(text, endOf(before), endOf(entry), '');
  return after === undefined ? undefined : splice(text, startOf(entry.key), startOf(after.key), '');
}

/** With the comment lines right above, unless they may be the heading of the whole section. */
function dropLines(text: string, entry: Entry, withComment: boolean): string {
  const column = columnOf(text, startOf(entry.key));
  const end = endOfOwned(text, endOf(entry), column);
  const line = startOf(entry.key) - column;
  const start = withComment ? startOfComment(text, line, column) : line;
  const eol = text.startsWith('\r\n', end) ? 2 : 1;
  const after = text[end - 1] === '\n' ? end : Math.min(end + eol, text.length);
  const isBetweenBlanks = /\n\r?\n$/.test(text.slice(0, start)) && /^(\r?\n|$)/.test(text.slice(after));
  return splice(text, isBetweenBlanks ? text.lastIndexOf('\n', start - 2) + 1 : start, after, '');
}

function startOfComment(text: string, line: number, column: number): number {
  if (line === 0) return line;
  const above = text.lastIndexOf('\n', line - 2) + 1;
  const words = text.slice(above, line);
  return /^\s*#/.test(words) && words.search(/\S/) === column ? startOfComment(text, above, column) : line;
}
