import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { makeCertificate } from './x509.ts';

/** A submission server (RFC 6409) on a real socket: STARTTLS first, then AUTH PLAIN, then one letter after the other. */
export class MailServer {
  readonly letters: { readonly to: string; readonly text: string }[] = [];
  /** Commands, in order; the words of AUTH decoded. */
  readonly heard: string[] = [];
  /** Answers RCPT with this instead of 250. */
  refusal: string | undefined;
  offersTls = true;
  readonly certificate: string;
  readonly #key: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [notBefore, notAfter] = [Date.now() - 60_000, Date.now() + 3_600_000];
    const who = { subject: 'localhost', issuer: 'localhost', names: ['localhost'], isAuthority: true };
    this.certificate = makeCertificate({ ...who, issuerKey: privateKey, publicKey, notBefore, notAfter });
    this.#key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(): Promise<MailServer> {
    const server = new MailServer();
    await new Promise<void>((resolve) => server.#server.listen(0, 'localhost', resolve));
    return server;
  }

  get address(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write('220 localhost ESMTP\r\n');
    this.#converse(socket, false);
  }

  #converse(socket: Socket, isSecure: boolean): void {
    let text = '';
    let letter: string[] | undefined;
    let to = '';
    const reply = (line: string): void => void socket.write(`${line}\r\n`);
    const take = (line: string): void => {
      if (letter !== undefined) {
        if (line !== '.') return void letter.push(line);
        this.letters.push({ to, text: letter.join('\n') });
        letter = undefined;
        return reply('250 taken');
      }
      const word = line.slice(0, 4).toUpperCase();
      this.heard.push(word === 'AUTH' ? `AUTH ${Buffer.from(line.slice(11), 'base64').toString()}` : line);
      if (word === 'EHLO')
        return reply(
          isSecure || !this.offersTls ? '250-localhost\r\n250 AUTH PLAIN' : '250-localhost\r\n250 STARTTLS',
        );
      if (word === 'STAR') {
        reply('220 go on');
        socket.removeAllListeners('data');
        const secure = new TLSSocket(socket, { isServer: true, key: this.#key, cert: this.certificate });
        secure.on('error', () => undefined);
        return this.#converse(secure, true);
      }
      if (word === 'AUTH') return reply('235 welcome');
      if (word === 'RCPT') {
        to = line.slice(8);
        return reply(this.refusal ?? '250 ok');
      }
      if (word === 'DATA') {
        letter = [];
        return reply('354 go on');
      }
      reply(word === 'QUIT' ? '221 bye' : '250 ok');
    };
    socket.on('data', (chunk) => {
      text += chunk.toString();
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        take(line);
      }
    });
  }
}
