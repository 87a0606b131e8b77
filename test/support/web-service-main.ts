import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/**
 * A web service that tells what reached it: the answer's body is `NAME + N bytes` of a body, and the request's head, byte
 * for byte. `/stream` begins an answer and never ends it; `/wait/N` is silent for N milliseconds before; a
 * WebSocket is echoed after its 101. It claims to be reached by https alone, of which it knows nothing.
 *
 *   web-service-main.ts NAME PORT [PEM]
 */
const [name = '', port = '', pem] = process.argv.slice(2);

const server =
  pem === undefined
    ? createServer(serve)
    : createTlsServer({ key: readFileSync(pem), cert: readFileSync(pem) }, serve);
server.listen({ port: Number(port), host: '::' }, () => console.log('ready'));

function serve(socket: Socket): void {
  let head = '';
  let received: Buffer = Buffer.alloc(0);
  /** Bytes of the body that are still to come. */
  let missing = 0;
  const read = (chunk: Buffer): void => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    while (received.length > 0) {
      if (head === '') {
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        head = received.subarray(0, end + 2).toString('latin1');
        received = received.subarray(end + 4);
        missing = lengthOf(head);
      }
      const body = Math.min(missing, received.length);
      received = received.subarray(body);
      missing -= body;
      if (missing > 0) return;
      if (/^upgrade: websocket/im.test(head)) {
        socket.off('data', read);
        return echo(socket, head);
      }
      const waitMs = Number(/^GET \/wait\/(\d+) /.exec(head)?.[1] ?? 0);
      if (waitMs === 0) answer(socket, head);
      else setTimeout(answer, waitMs, socket, head);
      head = '';
    }
  };
  socket.on('data', read);
  socket.on('error', () => socket.destroy());
}

function lengthOf(head: string): number {
  return Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
}

function echo(socket: Socket, head: string): void {
  const key = /^sec-websocket-key: (.*)/im.exec(head)?.[1]?.trim() ?? '';
  // RFC 6455 4.2.2
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const lines = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`];
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
  socket.pipe(socket);
}

const STRICT = 'Strict-Transport-Security: max-age=31536000; includeSubDomains';

function answer(socket: Socket, head: string): void {
  if (head.startsWith('GET /stream ')) {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n');
    return;
  }
  const body = `${name} + ${lengthOf(head)} bytes\r\n${head}`;
  socket.write(
    `HTTP/1.1 200 OK\r\n${STRICT}\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`,
    'latin1',
  );
}
