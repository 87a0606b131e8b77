import type { Socket } from 'node:net';
import { GatewayError } from '../../core/errors.ts';
import { openStream, startTls, type Place, type Route } from './stream.ts';

/** One letter to one person. */
export interface Letter {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly at: Date;
  /** Unlikely to be anybody else's. */
  readonly id: string;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Port on which TLS comes first (RFC 8314 3.3); on any other it is asked for. */
const IMPLICIT_TLS_PORT = 465;
const MAX_REPLY = 16 * 1024;
/** RFC 5321 4.1.3; the name of this machine is nobody's business. */
const GREETING = 'EHLO [127.0.0.1]';

/** Hands a letter to a submission server (RFC 6409), with TLS always: resolves once the server took it on. */
export async function sendLetter(
  server: Place,
  login: Login | undefined,
  letter: Letter,
  route: Route,
  signal: AbortSignal,
): Promise<void> {
  const plain = await openStream(server, route, signal);
  let socket = plain;
  try {
    const isImplicit = server.port === IMPLICIT_TLS_PORT;
    if (isImplicit) socket = await startTls(plain, server.host, route, signal);
    const first = new Conversation(socket, server, signal);
    await first.hear(220);
    if (!isImplicit) {
      const offers = await first.say(GREETING, 250);
      if (!/^250[ -]STARTTLS\s*$/im.test(offers))
        throw refused(server, 'offers no TLS, so that nothing is told to it');
      await first.say('STARTTLS', 220);
      first.leave();
      socket = await startTls(plain, server.host, route, signal);
    }
    await handOver(isImplicit ? first : new Conversation(socket, server, signal), login, letter);
  } finally {
    socket.destroy();
    plain.destroy();
  }
}

async function handOver(talk: Conversation, login: Login | undefined, letter: Letter): Promise<void> {
  await talk.say(GREETING, 250);
  if (login !== undefined) {
    const words = Buffer.from(`\0${login.user}\0${login.password}`).toString('base64');
    await talk.say(`AUTH PLAIN ${words}`, 235, 'AUTH');
  }
  await talk.say(`MAIL FROM:<${letter.from}>`, 250);
  await talk.say(`RCPT TO:<${letter.to}>`, 250);
  await talk.say('DATA', 354);
  await talk.say(`${render(letter)}\r\n.`, 250, 'DATA');
  await talk.say('QUIT', 221);
}

/** Base64 holds any words, keeps lines short, and never begins a line with a dot. */
export function render({ from, to, subject, text, at, id }: Letter): string {
  const encoded = Buffer.from(text)
    .toString('base64')
    .replace(/(.{76})/g, '$1\r\n');
  const words = Buffer.from(subject.slice(0, 40)).toString('base64');
  return [
    `From: <${from}>`,
    `To: <${to}>`,
    `Subject: =?UTF-8?B?${words}?=`,
    `Date: ${at.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${id}@${from.slice(from.lastIndexOf('@') + 1)}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    encoded,
  ].join('\r\n');
}

function refused({ host, port }: Place, what: string): GatewayError {
  return new GatewayError(`the mail server ${host}:${port} ${what}`, {
    code: 'NotifyRefused',
    hint: 'check server, user and password',
  });
}

/** Lines to and fro (RFC 5321 4.2); a reply is over with the line that has a space behind its number. */
class Conversation {
  readonly #socket: Socket;
  readonly #server: Place;
  readonly #signal: AbortSignal;
  #heard = '';
  #wake: () => void = () => undefined;
  #isOver = false;

  constructor(socket: Socket, server: Place, signal: AbortSignal) {
    this.#socket = socket;
    this.#server = server;
    this.#signal = signal;
    socket.on('data', this.#take).on('close', this.#end);
    signal.addEventListener('abort', this.#end, { once: true });
  }

  /** The socket is somebody else's from here on. */
  leave(): void {
    this.#socket.off('data', this.#take).off('close', this.#end);
  }

  /** `name` stands for what was said in errors, where that is a secret or long. */
  say(line: string, expected: number, name = line): Promise<string> {
    this.#socket.write(`${line}\r\n`);
    return this.hear(expected, name);
  }

  async hear(expected: number, name = 'the connection'): Promise<string> {
    for (;;) {
      const end = /^[0-9]{3}(?: [^\n]*)?\r?\n/m.exec(this.#heard);
      if (end !== null) {
        const reply = this.#heard.slice(0, end.index + end[0].length);
        this.#heard = this.#heard.slice(reply.length);
        if (reply.startsWith(String(expected))) return reply;
        throw refused(
          this.#server,
          `answered ${name} with: ${reply
            .slice(0, 200)
            .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
            .trim()}`,
        );
      }
      if (this.#signal.aborted || this.#isOver || this.#heard.length > MAX_REPLY)
        throw new GatewayError(
          `the mail server ${this.#server.host}:${this.#server.port} did not answer ${name}`,
          {
            code: this.#signal.aborted ? 'Aborted' : 'Unreachable',
          },
        );
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  readonly #take = (chunk: Uint8Array): void => {
    this.#heard += Buffer.from(chunk).toString('latin1');
    this.#wake();
  };

  readonly #end = (): void => {
    this.#isOver = true;
    this.#wake();
  };
}
