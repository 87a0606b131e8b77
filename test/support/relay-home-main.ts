import { readFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer as createHttp } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { z } from 'zod';
import type { RelayRequest } from '../../src/core/relay.ts';
import { askRelay } from '../../src/system/relay-client.ts';

/**
 * A home of a relay, without a gateway: what comes out of the tunnel is told who sent it.
 *
 *   relay-home-main.ts ask ADDRESS FINGERPRINT REQUEST   one question; prints the answer
 *   relay-home-main.ts serve PEM MARKER ADDRESS          443 (TLS) and 80 behind PROXY v2; TCP 9735, UDP 9999 and 51820 plain
 */
const [verb, ...rest] = process.argv.slice(2);

if (verb === 'ask') {
  const [address = '', fingerprint = '', request = ''] = rest;
  const signal = AbortSignal.timeout(20_000);
  askRelay({ address, fingerprint }, JSON.parse(request) as RelayRequest, z.unknown(), signal).then(
    (value) => console.log(JSON.stringify({ value })),
    (error: Error) => console.log(JSON.stringify({ error: error.message })),
  );
} else serve(rest[0] ?? '', rest[1] ?? '', rest[2] ?? '');

/** The visitor whom the relay names (PROXY protocol, version 2, 2.2). */
function proxied(accept: (socket: Socket, source: string) => void): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    let head = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      if (head.length < 16 || head.length < 16 + head.readUInt16BE(14)) return;
      const length = 16 + head.readUInt16BE(14);
      socket.off('data', read);
      socket.pause();
      socket.unshift(head.subarray(length));
      accept(socket, `${[...head.subarray(16, 20)].join('.')}:${head.readUInt16BE(24)}`);
    };
    socket.on('data', read);
  });
}

function serve(pem: string, marker: string, address: string): void {
  const sources = new WeakMap<Socket, string>();
  const key = readFileSync(pem);
  const secureContext = createSecureContext({ key, cert: key });
  proxied((socket, source) => {
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    secure.on('error', () => socket.destroy());
    secure.on('data', () => {
      const body = `tls ${String(secure.servername)} from ${source} ${marker}\n`;
      secure.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    });
  }).listen(443);
  const http = createHttp((request, response) => {
    response.end(`http ${request.headers.host} from ${sources.get(request.socket) ?? ''}\n`);
  });
  proxied((socket, source) => {
    sources.set(socket, source);
    http.emit('connection', socket);
    socket.resume();
  }).listen(80);
  // Held open and echoed, a line each, until the visitor ends it.
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(`tcp from ${socket.remoteAddress}:${socket.remotePort}\n`);
    socket.on('data', (data) => socket.write(data));
  }).listen({ port: 9735, host: '0.0.0.0' });
  for (const port of [9999, 51_820]) {
    const socket = createSocket('udp4');
    socket.on('message', (_data, from) =>
      socket.send(`udp ${port} from ${from.address}:${from.port}`, from.port, from.address),
    );
    // Or the answer would leave by another way than it came.
    socket.bind(port, address);
  }
  console.log('ready');
}
