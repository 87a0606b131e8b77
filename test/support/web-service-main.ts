import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/**
 * A web service that tells what reached it: the answer's body is the request's head, byte for byte, and `+ N bytes` of its
 * body. `/slow` answers after a second, `/upgrade` echoes as a WebSocket does, after its 101.
 *
 *   web-service-main.ts NAME PORT [PEM]
 */
const [name = '', port = '', pem] = process.argv.slice(2);

const server =
  pem === undefined
    ? createServer(take)
    : createTlsServer({ key: readFileSync(pem), cert: readFileSync(pem) }, take);
server.listen({ port: Number(port), host: '::' }, () => console.log('ready'));

function take(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  let received = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = received.subarray(0, end + 2).toString('latin1');
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (received.length < end + 4 + length) return;
    received = received.subarray(end + 4 + length);
    if (/^upgrade: websocket/im.test(head)) {
      socket.off('data', read);
      const key = /^sec-websocket-key: (.*)/im.exec(head)?.[1]?.trim() ?? '';
      // RFC 6455 4.2.2
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const lines = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`];
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
      socket.pipe(socket);
      return;
    }
    setTimeout(answer, head.includes(' /slow') ? 1000 : 0, socket, head, length);
  };
  socket.on('data', read);
}

function answer(socket: Socket, head: string, length: number): void {
  const body = `${name} + ${length} bytes\r\n${head}`;
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n`);
  socket.write(body, 'latin1');
}
