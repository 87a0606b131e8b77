/**
 * HTTP/1.x replies as home routers write them: wrong Content-Length, broken chunks, bare line feeds. Read to the point
 * where the body is whole, by whatever sign comes first; the XML in it then says whether it was. Pure.
 */
export interface HttpReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Nothing more is needed: the end that the reply declares was reached, and the body does not stop within a tag. */
  readonly isWhole: boolean;
}

const MAX_HEAD = 16 * 1024;

/**
 * What the bytes so far hold, as latin1 text; `undefined` while the head has not ended, `'malformed'` when it never will.
 * The body is UTF-8.
 */
export function parseHttpReply(received: string): HttpReply | 'malformed' | undefined {
  const text = received.replace(/^[\r\n]{0,8}/, '');
  // An interim reply (100) is followed by the real one.
  if (/^HTTP\/1\.[01] 1\d\d/.test(text)) {
    const end = endOfHead(text);
    return end === undefined ? undefined : parseHttpReply(text.slice(end));
  }
  if (!'HTTP/1.'.startsWith(text.slice(0, 7)) && !text.startsWith('HTTP/1.')) return 'malformed';
  const end = endOfHead(text);
  if (end === undefined) return text.length > MAX_HEAD ? 'malformed' : undefined;
  const [start = '', ...lines] = text.slice(0, end).split(/\r?\n/);
  const status = /^HTTP\/1\.[01] +(\d{3})(?: |$)/.exec(start)?.[1];
  if (status === undefined || end > MAX_HEAD) return 'malformed';
  const headers = headersOf(lines);
  return { status: Number(status), headers, ...bodyOf(headers, text.slice(end)) };
}

function endOfHead(text: string): number | undefined {
  const match = /\r?\n\r?\n/.exec(text.slice(0, MAX_HEAD + 4));
  return match === null ? undefined : match.index + match[0].length;
}

function headersOf(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 1 ? [] : [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]];
    }),
  );
}

/**
 * | declared            | whole when                                                             |
 * | ------------------- | ---------------------------------------------------------------------- |
 * | chunked             | the last chunk came; what is not chunks at all is taken as it stands   |
 * | Content-Length      | that much came and ends with `>`: some declare too little              |
 * | nothing             | never: the connection's end says so                                    |
 */
function bodyOf(headers: ReadonlyMap<string, string>, rest: string): Pick<HttpReply, 'body' | 'isWhole'> {
  if (/\bchunked\b/i.test(headers.get('transfer-encoding') ?? '')) {
    const chunks = joinChunks(rest);
    return { body: decodeUtf8(chunks.body), isWhole: chunks.isWhole };
  }
  const declared = /^\d{1,9}$/.exec(headers.get('content-length') ?? '')?.[0];
  const isLongEnough = declared !== undefined && rest.length >= Number(declared);
  const isEmpty = declared !== undefined && Number(declared) === 0 && rest === '';
  return { body: decodeUtf8(rest), isWhole: isEmpty || (isLongEnough && /[>\0]\s*$/.test(rest)) };
}

function joinChunks(text: string): { readonly body: string; readonly isWhole: boolean } {
  const pieces: string[] = [];
  let at = 0;
  while (at < text.length) {
    const head = /^([0-9a-f]{1,6})[ \t]*(?:;[^\r\n]{0,200})?\r?\n/i.exec(text.slice(at, at + 240));
    // No chunk at all: a router that declares what it does not do.
    if (head === null) return { body: pieces.join('') + (pieces.length === 0 ? text : ''), isWhole: false };
    const size = Number.parseInt(head[1] ?? '', 16);
    if (size === 0) return { body: pieces.join(''), isWhole: true };
    const start = at + head[0].length;
    pieces.push(text.slice(start, start + size));
    at = start + size;
    at += /^\r?\n/.exec(text.slice(at, at + 2))?.[0].length ?? 0;
  }
  return { body: pieces.join(''), isWhole: false };
}

function decodeUtf8(latin1: string): string {
  return new TextDecoder().decode(Uint8Array.from(latin1, (character) => character.charCodeAt(0)));
}
