import { GatewayError } from '../core/errors.ts';

/**
 * Tor's control protocol, client side (control-spec). Pure: text in, replies and events out. Whatever the other side
 * sends, nothing but `GatewayError` is thrown.
 */
export interface ControlReply {
  /** Three digits of the last line; 250 is success. */
  readonly status: number;
  /** Lines without their status; a data block is joined to its line with newlines. */
  readonly lines: readonly string[];
}

export interface ControlMessages {
  readonly replies: readonly ControlReply[];
  /** Asynchronous ones (status 6xx). */
  readonly events: readonly ControlReply[];
}

const MAX_LINE = 1024 * 1024;
const MAX_LINES = 100_000;

/** Keeps what has arrived of a reply until the rest does. */
export class ControlDecoder {
  #rest = '';
  #lines: string[] = [];
  /** Lines of the data block that is open. */
  #data: string[] | undefined;

  push(text: string): ControlMessages {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE) throw malformed('a line without end');
    const replies: ControlReply[] = [];
    const events: ControlReply[] = [];
    for (const line of lines) {
      const reply = this.#take(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (reply !== undefined) (reply.status >= 600 ? events : replies).push(reply);
    }
    return { replies, events };
  }

  #take(line: string): ControlReply | undefined {
    if (this.#lines.length + (this.#data?.length ?? 0) > MAX_LINES) throw malformed('a reply without end');
    if (this.#data !== undefined) return this.#takeData(line);
    const match = /^([2-6]\d\d)([-+ ])(.*)$/s.exec(line);
    if (match === null) throw malformed(JSON.stringify(line.slice(0, 80)));
    const [, status = '', separator, rest = ''] = match;
    this.#lines.push(rest);
    if (separator === '+') this.#data = [];
    if (separator !== ' ') return undefined;
    const reply = { status: Number(status), lines: this.#lines };
    this.#lines = [];
    return reply;
  }

  /** A lone dot ends the block; a dot that the data itself begins with is doubled. */
  #takeData(line: string): undefined {
    const data = this.#data ?? [];
    if (line !== '.') {
      data.push(line.startsWith('.') ? line.slice(1) : line);
      return;
    }
    this.#lines.push([this.#lines.pop() ?? '', ...data].join('\n'));
    this.#data = undefined;
  }
}

function malformed(what: string): GatewayError {
  return new GatewayError(`tor's control socket sent something that is not its protocol: ${what}`, {
    code: 'TorControl',
    hint: 'is another program listening on this socket?',
  });
}

/** A command that carries a text of many lines: `+LOADCONF`. */
export function encodeDataCommand(command: string, text: string): string {
  const lines = text.split(/\r?\n/).map((line) => (line.startsWith('.') ? `.${line}` : line));
  return `+${command}\r\n${lines.join('\r\n')}\r\n.\r\n`;
}

/** `KEY=value` lines of GETINFO and GETCONF; a key alone (an option at its default) gives an empty value. */
export function keyValues(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines
      .filter((line) => line !== 'OK')
      .map((line) => {
        const end = line.indexOf('=');
        return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)];
      }),
  );
}

/** Words of an event or status line: positional ones, then `KEY=value` or `KEY="quoted value"`. */
export function parseWords(text: string): {
  readonly words: readonly string[];
  readonly values: ReadonlyMap<string, string>;
} {
  const words: string[] = [];
  const values = new Map<string, string>();
  for (const [part] of text.matchAll(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/gs)) {
    const match = /^([A-Za-z0-9_-]+)=(.*)$/s.exec(part);
    if (match === null) words.push(part);
    else values.set(match[1] ?? '', unquote(match[2] ?? ''));
  }
  return { words, values };
}

/** A quoted string without its quotes and escapes (control-spec 2.1.1); anything else as it is. */
export function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  const inner = text.endsWith('"') && text.length > 1 ? text.slice(1, -1) : text.slice(1);
  const named: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return inner.replaceAll(/\\([0-7]{1,3}|.)/gs, (_all, escaped: string) =>
    /^[0-7]/.test(escaped)
      ? String.fromCharCode(Number.parseInt(escaped, 8) & 0xff)
      : (named[escaped] ?? escaped),
  );
}

export interface Bootstrap {
  readonly percent: number;
  /** For people: 'Loading relay descriptors'. */
  readonly summary: string;
  /** Why it does not go on, when tor says so. */
  readonly warning: string | undefined;
}

/** Value of `GETINFO status/bootstrap-phase`. */
export function parseBootstrap(text: string): Bootstrap {
  const { values } = parseWords(text);
  const percent = Number(values.get('PROGRESS') ?? 0);
  return {
    percent: Number.isInteger(percent) && percent >= 0 && percent <= 100 ? percent : 0,
    summary: values.get('SUMMARY') ?? '',
    warning: values.get('WARNING'),
  };
}

export interface DescriptorEvent {
  /** UPLOAD, UPLOADED, FAILED, REQUESTED, RECEIVED, CREATED … */
  readonly action: string;
  /** 56 characters. */
  readonly address: string;
  /** `$<fingerprint>~<nickname>` of the relay that keeps descriptors, or UNKNOWN. */
  readonly directory: string;
  /** Blinded key of the descriptor, where tor names it: not when an upload ended. */
  readonly descriptor: string | undefined;
  readonly reason: string | undefined;
}

/** An HS_DESC event, or `undefined` for any other. */
export function parseDescriptorEvent(line: string): DescriptorEvent | undefined {
  const { words, values } = parseWords(line);
  const [type, action, address, _auth, directory = 'UNKNOWN', descriptor] = words;
  if (type !== 'HS_DESC' || action === undefined || address === undefined) return undefined;
  if (!/^[a-z2-7]{56}$/.test(address)) return undefined;
  return { action, address, directory, descriptor, reason: values.get('REASON') };
}
