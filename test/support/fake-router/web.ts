import type { Socket } from 'node:net';
import { CONNECTION, descriptionText, faultText, replyText } from './messages.ts';
import type { Answer, RouterScript } from './script.ts';
import { FakeTable } from './table.ts';

/** The web server of a fake router. */
export class FakeWeb {
  readonly table: FakeTable;
  /** 'GET /rootDesc.xml', 'AddPortMapping' … */
  readonly asked: string[] = [];
  readonly #script: RouterScript;
  readonly #address: string;
  readonly #sockets = new Set<Socket>();

  constructor(script: RouterScript, address: string) {
    this.#script = script;
    this.#address = address;
    this.table = new FakeTable(script);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  serve(socket: Socket): void {
    this.#sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
      const end = text.indexOf('\r\n\r\n');
      if (end < 0 || text.length < end + 4 + length) return;
      const [method = '', path = ''] = text.split(' ');
      if (method === 'GET') this.#get(socket, path);
      else this.#post(socket, path, text);
      text = '';
    });
  }

  #isHung(): boolean {
    return this.asked.length > (this.#script.http?.hangsAfter ?? Infinity);
  }

  #get(socket: Socket, path: string): void {
    const { redirect, endless = false } = this.#script.http ?? {};
    this.asked.push(`GET ${path}`);
    if (this.#isHung()) return;
    if (redirect !== undefined && path === '/rootDesc.xml') {
      return this.#send(socket, { status: 302, body: '<html/>' }, `Location: ${redirect}\r\n`);
    }
    const services = (this.#script.services ?? [CONNECTION]).map((type, index) => ({
      type,
      control: `/ctl/${index}`,
    }));
    const found = this.#script.descriptions?.[path] ?? (path === '/rootDesc.xml' ? { services } : undefined);
    if (found === undefined) return this.#send(socket, { status: 404, body: '<html>Not found</html>' });
    if (!endless) return this.#send(socket, { status: 200, body: descriptionText(found) });
    socket.write('HTTP/1.1 200 OK\r\n\r\n<root>');
    const timer = setInterval(() => socket.write('<device>'.repeat(1000)), 1);
    socket.on('close', () => clearInterval(timer));
  }

  #post(socket: Socket, path: string, text: string): void {
    const action = /\r\nsoapaction: *"urn:[\w:.-]+#(\w+)"\r\n/i.exec(text)?.[1];
    this.asked.push(`${action ?? 'nothing'}${path.startsWith('/ctl/0') ? '' : ` at ${path}`}`);
    if (this.#isHung()) return;
    if (action === undefined)
      return this.#send(socket, { status: 500, body: faultText(401, 'Invalid Action') });
    const input = new Map(
      [...text.matchAll(/<(\w+)>([^<]*)<\/\1>/g)].map(([, name = '', value = '']) => [name, value]),
    );
    // Not the path: several connections of one router are told apart by `GetStatusInfo at /path`.
    const scripted = this.#script.actions?.[`${action} at ${path}`] ?? this.#script.actions?.[action];
    const times = this.asked.filter((asked) => asked.split(' ')[0] === action).length;
    const answer = scripted?.[Math.min(times, scripted.length) - 1] ?? 'ordinary';
    this.#answer(socket, action, answer === 'ordinary' ? this.table.answer(action, input) : answer);
  }

  #answer(socket: Socket, action: string, answer: Answer): void {
    if (answer === 'hang' || answer === 'ordinary') return;
    if (answer === 'hang-up') return void socket.destroy();
    if ('status' in answer) return this.#send(socket, answer);
    if ('fault' in answer) {
      return this.#send(socket, { status: 500, body: faultText(answer.fault, answer.text ?? '') });
    }
    const values = Object.entries(answer.values).map(([name, value]) => [
      name,
      String(value).replaceAll('ROUTER', this.#address),
    ]);
    this.#send(socket, { status: 200, body: replyText(action, Object.fromEntries(values)) });
  }

  #send(socket: Socket, { status, body }: { status: number; body: string }, more = ''): void {
    const { length = 'exact', inPieces = false, keepsOpen = false } = this.#script.http ?? {};
    const headers: Record<NonNullable<NonNullable<RouterScript['http']>['length']>, string> = {
      exact: `Content-Length: ${Buffer.byteLength(body)}\r\n`,
      missing: '',
      'too-long': `Content-Length: ${Buffer.byteLength(body) + 100}\r\n`,
      'too-short': `Content-Length: ${Buffer.byteLength(body) - 40}\r\n`,
      chunked: 'Transfer-Encoding: chunked\r\n',
      'chunked-in-name-only': 'Transfer-Encoding: chunked\r\n',
    };
    const half = Math.floor(body.length / 2);
    const chunk = (part: string): string => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`;
    const sent =
      length === 'chunked' ? `${chunk(body.slice(0, half))}${chunk(body.slice(half))}0\r\n\r\n` : body;
    const text = `HTTP/1.1 ${status} OK\r\nContent-Type: text/xml\r\n${headers[length]}${more}\r\n${sent}`;
    if (!inPieces) {
      socket.write(text);
      if (!keepsOpen) socket.end();
      return;
    }
    const pieces = text.match(/[^]{1,200}/g) ?? [];
    const next = (): void => {
      const piece = pieces.shift();
      if (piece === undefined) return void (keepsOpen ? undefined : socket.end());
      socket.write(piece);
      setTimeout(next, 2);
    };
    next();
  }
}
