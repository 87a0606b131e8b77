/**
 * The little XML that routers speak: elements and text. Our own reader, because what a library adds is what a hostile
 * router would use: no DTD, no entities but the five that XML has by itself, bounded size, depth and number of elements.
 * Prefixes are dropped, since routers bind them as they like; attributes are skipped, since nothing that we read has any.
 */
export interface XmlElement {
  /** Without prefix. */
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** Its own text, trimmed; not that of its children. */
  readonly text: string;
}

const MAX_CHARACTERS = 256 * 1024;
const MAX_DEPTH = 24;
const MAX_ELEMENTS = 4000;

interface Open {
  readonly tag: string;
  readonly children: XmlElement[];
  text: string;
}

/**
 * Never throws: `undefined` for what is not one well-formed element, or is too large. Routers are forgiven what they get
 * wrong without harm: NUL bytes and blank lines around the document, and a bare `&` (a model named "Black & White").
 */
export function parseXml(text: string): XmlElement | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const source = text.replace(/^[\s\0\uFEFF]+/, '').replace(/[\s\0]+$/, '');
  const reader = new XmlReader(source);
  return reader.document();
}

class XmlReader {
  readonly #source: string;
  #at = 0;
  #elements = 0;
  readonly #open: Open[] = [];
  #root: XmlElement | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  document(): XmlElement | undefined {
    while (this.#at < this.#source.length) {
      if (!this.#step()) return undefined;
    }
    return this.#open.length === 0 ? this.#root : undefined;
  }

  /** One tag, or the text before it. */
  #step(): boolean {
    const next = this.#source.indexOf('<', this.#at);
    if (next !== this.#at) return this.#take(next < 0 ? this.#source.length : next);
    if (this.#startsWith('<?')) return this.#skip('?>');
    if (this.#startsWith('<!--')) return this.#skip('-->');
    if (this.#startsWith('<![CDATA[')) return this.#verbatim();
    // A DTD, or whatever else begins so.
    if (this.#startsWith('<!')) return false;
    return this.#tag();
  }

  #startsWith(mark: string): boolean {
    return this.#source.startsWith(mark, this.#at);
  }

  #take(end: number): boolean {
    const text = this.#source.slice(this.#at, end);
    this.#at = end;
    const open = this.#open.at(-1);
    if (open === undefined) return text.trim() === '';
    open.text += decodeEntities(text);
    return true;
  }

  #skip(mark: string): boolean {
    const end = this.#source.indexOf(mark, this.#at + 2);
    if (end < 0) return false;
    this.#at = end + mark.length;
    return true;
  }

  #verbatim(): boolean {
    const start = this.#at + '<![CDATA['.length;
    const end = this.#source.indexOf(']]>', start);
    const open = this.#open.at(-1);
    if (end < 0 || open === undefined) return false;
    open.text += this.#source.slice(start, end);
    this.#at = end + 3;
    return true;
  }

  #tag(): boolean {
    const end = endOfTag(this.#source, this.#at + 1);
    if (end === undefined) return false;
    const inside = this.#source.slice(this.#at + 1, end);
    this.#at = end + 1;
    const [, slash, tag, rest = ''] = /^(\/?)([A-Za-z_][\w.:-]*)((?:[\s/][^]*)?)$/.exec(inside) ?? [];
    if (tag === undefined) return false;
    if (slash === '/') return rest.trim() === '' && this.#close(tag);
    return this.#begin(tag) && (!rest.endsWith('/') || this.#close(tag));
  }

  #begin(tag: string): boolean {
    this.#elements += 1;
    if (this.#elements > MAX_ELEMENTS || this.#open.length >= MAX_DEPTH) return false;
    if (this.#root !== undefined) return false;
    this.#open.push({ tag, children: [], text: '' });
    return true;
  }

  #close(tag: string): boolean {
    const open = this.#open.pop();
    if (open?.tag !== tag) return false;
    const element = { name: localName(tag), children: open.children, text: open.text.trim() };
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
    return true;
  }
}

/** Position of the `>` that ends a tag: not one inside a quoted attribute. */
function endOfTag(source: string, from: number): number | undefined {
  let quote = '';
  for (let at = from; at < source.length; at += 1) {
    const character = source.charAt(at);
    if (quote !== '') quote = character === quote ? '' : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return at;
    else if (character === '<') return undefined;
  }
  return undefined;
}

function localName(tag: string): string {
  return tag.slice(tag.indexOf(':') + 1);
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** What is no reference stays as it stands: nothing is looked up, so nothing can grow. */
function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi, (all, decimal, hex, name) => {
    if (typeof name === 'string') return NAMED[name] ?? all;
    const code = typeof decimal === 'string' ? Number(decimal) : Number.parseInt(String(hex), 16);
    const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return isCharacter ? String.fromCodePoint(code) : all;
  });
}

export function escapeXml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': 'amp',
    '<': 'lt',
    '>': 'gt',
    '"': 'quot',
    "'": 'apos',
  };
  return text.replaceAll(/[&<>"']/g, (character) => `&${names[character] ?? 'amp'};`);
}

/** First child of this name. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** Text of the first child of this name; empty when there is none. */
export function textOf(element: XmlElement | undefined, name: string): string {
  return childOf(element, name)?.text ?? '';
}

/** The element itself and everything below it, in the order of the document. */
export function* everyElement(element: XmlElement): Generator<XmlElement> {
  yield element;
  for (const child of element.children) yield* everyElement(child);
}
