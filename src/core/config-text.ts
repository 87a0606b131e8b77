import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';

/** One mistake in gateway.yaml, where it is and what to do. */
export interface ConfigProblem {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** 'services.shop.prot'; empty when the file could not be read as YAML. */
  readonly path: string;
  /** A sentence that names the thing and the value. */
  readonly message: string;
  readonly hint?: string;
}

export type Path = readonly PropertyKey[];

/** YAML that was read without a mistake: plain values, and where each of them stands. */
export interface ConfigText {
  readonly value: unknown;
  /** The key at `path`, or the nearest thing around it that is in the file. */
  locate(path: Path): { readonly line: number; readonly column: number };
}

const MAX_CHARACTERS = 1024 * 1024;
const MAX_REPORTED = 10;

/** Never throws. Anchors, aliases and tags are refused: the config is plain data and as long as it looks. */
export function readConfigText(text: string): ConfigText | { readonly problems: readonly ConfigProblem[] } {
  const refused = refuseBytes(text);
  if (refused !== undefined) return { problems: [refused] };
  try {
    const { document, lines } = parseConfigDocument(text);
    const problems = [
      ...document.errors.map((error) => yamlProblem(error, lines)),
      ...notPlain(document, lines),
    ];
    if (problems.length > 0) return { problems: problems.slice(0, MAX_REPORTED) };
    return { value: document.toJS({ maxAliasCount: 0 }), locate: (path) => locate(document, lines, path) };
  } catch (error) {
    // The parser gives up on hostile input in ways of its own (nesting deeper than the stack).
    const said = error instanceof Error ? error.message : String(error);
    return {
      problems: [{ line: 1, column: 1, path: '', message: `the file cannot be read as YAML: ${said}` }],
    };
  }
}

interface Parsed {
  readonly text: string;
  /** Never changed: whoever edits takes a clone. */
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** An edit reads its text and its result several times, and with a thousand services each reading takes long. */
let latest: Parsed | undefined;

export function parseConfigDocument(text: string): Omit<Parsed, 'text'> {
  if (latest?.text === text) return latest;
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: true,
  });
  latest = { text, document, lines };
  return latest;
}

/** Control characters, and the ones that turn the reading direction: what is shown would not be what is read. */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069]/;

function refuseBytes(text: string): ConfigProblem | undefined {
  if (text.length > MAX_CHARACTERS) {
    const message = `the file has ${text.length} characters; at most ${MAX_CHARACTERS} are read`;
    return { line: 1, column: 1, path: '', message };
  }
  const at = text.search(UNSEEN);
  if (at < 0) return undefined;
  const before = text.slice(0, at).split('\n');
  const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0');
  const message = `a character that cannot be seen (U+${code}) stands here`;
  return {
    line: before.length,
    column: (before.at(-1) ?? '').length + 1,
    path: '',
    message,
    hint: 'remove it',
  };
}

const COLON = 'write it as key: value';

/** The parser's words are about YAML's grammar; these are about what to change. */
const PLAIN: Readonly<Partial<Record<YAMLError['code'], readonly [message: string, hint: string]>>> = {
  TAB_AS_INDENT: ['the line is indented with a tab', 'use spaces'],
  DUPLICATE_KEY: ['the same key stands here twice', 'remove one of them'],
  MULTIPLE_DOCS: ['a second document begins here', 'remove the line ---'],
  MULTILINE_IMPLICIT_KEY: ['the line is neither a key with a colon nor a value', COLON],
  BLOCK_AS_IMPLICIT_KEY: [
    'two colons on one line, or a line that is indented too far',
    'put text with a colon in quotes',
  ],
  NON_STRING_KEY: ['a key must be a plain word', COLON],
};

function yamlProblem(error: YAMLError, lines: LineCounter): ConfigProblem {
  const { line, col } = lines.linePos(error.pos[0]);
  const plain = PLAIN[error.code];
  const position = { line: Math.max(line, 1), column: Math.max(col, 1), path: '' };
  if (plain !== undefined) return { ...position, message: plain[0], hint: plain[1] };
  const said = error.message.split('\n')[0]?.slice(0, 160) ?? '';
  if (said.startsWith('Flow '))
    return { ...position, message: 'a bracket that was opened is not closed here' };
  if (said.startsWith('Implicit map keys'))
    return { ...position, message: 'the line has no colon', hint: COLON };
  if (said.startsWith('Missing closing'))
    return { ...position, message: 'a quote that was opened is not closed' };
  return { ...position, message: `the file is not valid YAML: ${said}` };
}

function notPlain(document: Document.Parsed, lines: LineCounter): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add = (node: Node, message: string, hint: string): void => {
    const { line, col } = lines.linePos(node.range?.[0] ?? 0);
    problems.push({ line, column: col, path: '', message, hint });
  };
  visit(document, {
    Alias: (_key, node) =>
      add(node, `*${node.source} refers to another place of the file`, 'write the value out'),
    Node: (_key, node) => {
      if ('anchor' in node && node.anchor !== undefined && node.anchor !== '') {
        add(node, `&${node.anchor} names a value for use elsewhere`, 'write the value out where it is used');
      }
      if (typeof node.tag === 'string' && node.tag !== '') {
        add(node, `${node.tag} gives a value a type of its own`, 'write the value without it');
      }
    },
    Pair: (_key, pair) => {
      // It would vanish in a plain object instead of being unknown.
      if (isScalar(pair.key) && pair.key.value === '__proto__')
        add(pair.key, '__proto__ is not a name', 'remove it');
    },
  });
  return problems;
}

function locate(document: Document.Parsed, lines: LineCounter, path: Path): { line: number; column: number } {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of path) {
    const found = child(node, step);
    if (found === undefined) break;
    offset = found.offset;
    node = found.node;
  }
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function child(node: unknown, step: PropertyKey): { offset: number; node: unknown } | undefined {
  if (isSeq<Node>(node)) {
    const item = node.items[Number(step)];
    return item === undefined ? undefined : { offset: item.range?.[0] ?? 0, node: item };
  }
  if (!isMap<Node, Node | null>(node)) return undefined;
  const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
  return pair === undefined ? undefined : { offset: pair.key.range?.[0] ?? 0, node: pair.value };
}
