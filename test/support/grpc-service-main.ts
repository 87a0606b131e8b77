import { createServer } from 'node:http2';

/**
 * What gRPC asks of those in between, without gRPC: HTTP/2 without TLS and without HTTP/1.1, answers that begin before the
 * request has ended, and a status that comes after them (trailers). Tells what was asked for, then echoes, piece by piece.
 *
 *   grpc-service-main.ts PORT
 */
createServer()
  .on('stream', (stream, { ':path': path = '', 'x-forwarded-for': visitor = '', te = '' }) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'done' }));
    stream.on('error', () => stream.destroy());
    stream.write(`${path} te ${String(te)} for ${String(visitor)}\n`);
    stream.on('data', (chunk: Buffer) => stream.write(`echo ${chunk.toString()}\n`));
    stream.on('end', () => stream.end());
  })
  .listen(Number(process.argv[2]), '::', () => console.log('ready'));
