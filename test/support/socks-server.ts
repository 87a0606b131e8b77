import { connect, createServer, type Server, type Socket } from 'node:net';

/** SOCKS 5 (RFC 1928, with RFC 1929) on a unix socket, as tor's is: carries every name to one port of this machine. */
export class SocksServer {
  /** `host:port`, as they were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(to: () => number) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      this.#greet(socket, to()).catch(() => socket.destroy());
    });
  }

  static async start(path: string, to: () => number): Promise<SocksServer> {
    const server = new SocksServer(to);
    await new Promise<void>((resolve) => server.#server.listen(path, resolve));
    return server;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #greet(socket: Socket, port: number): Promise<void> {
    const next = (): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        socket.once('data', resolve).once('close', reject);
      });
    await next();
    socket.write(Buffer.of(5, 2));
    await next();
    socket.write(Buffer.of(1, 0));
    const request = await next();
    const length = request[4] ?? 0;
    if (request[3] !== 3) return void socket.destroy();
    this.asked.push(`${request.subarray(5, 5 + length).toString()}:${request.readUInt16BE(5 + length)}`);
    const far = connect({ host: 'localhost', port });
    this.#sockets.add(far);
    far.on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
    far.once('connect', () => {
      socket.write(Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
      far.pipe(socket).pipe(far);
    });
  }
}
