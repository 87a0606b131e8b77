import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';

/** One visit; the visitor believes any certificate, and tells which it saw. */
export interface Visit {
  readonly host: string;
  readonly port: number;
  /** A unix socket instead of both. */
  readonly path?: string;
  /** Source address; absent: of the kernel's choice. */
  readonly from?: string;
  /** Absent: no TLS at all. Empty: TLS without a name. */
  readonly sni?: string;
  readonly alpn?: readonly string[];
  /** A certificate to show, and its key: PEM. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** The first message of TLS comes in two packets, so long apart. */
  readonly helloMs?: number;
  /** Sent as it is, piece by piece, each `pauseMs` after the one before. */
  readonly send?: readonly string[];
  /** The last piece so many times. */
  readonly times?: number;
  /** So many bytes follow. */
  readonly upload?: number;
  readonly pauseMs?: number;
  /** Sent by HTTP/2 instead. */
  readonly http2?: Readonly<Record<string, string>>;
  /** It is over this long after the last byte, or when the far end hangs up. */
  readonly quietMs?: number;
}

export interface Visited {
  /** Of the certificate, SHA-256 in hex. */
  readonly fingerprint?: string;
  readonly alpn?: string;
  readonly answer: string;
  /** Why there was no connection: `alert` when the far end refused the name. */
  readonly error?: string;
  /** The far end hung up before the visitor did. */
  readonly isClosed?: boolean;
  readonly headers?: IncomingHttpHeaders;
  /** What came after the last byte of an answer by HTTP/2. */
  readonly trailers?: IncomingHttpHeaders;
}

function addressOf({ host, port, path, from }: Visit) {
  if (path !== undefined) return { path };
  return { host, port, ...(from === undefined ? {} : { localAddress: from }) };
}

/** So many bytes end before the extensions of a ClientHello, and so before the name. */
const FIRST_PACKET = 60;

function inTwoPackets(visit: Visit, pauseMs: number): Duplex {
  const socket = connectTcp(addressOf(visit)).setNoDelay();
  let isFirst = true;
  const halved = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      const head = isFirst ? FIRST_PACKET : 0;
      isFirst = false;
      if (head > 0) socket.write(chunk.subarray(0, head));
      setTimeout(() => socket.write(chunk.subarray(head), done), head > 0 ? pauseMs : 0);
    },
    final: (done) => void socket.end(done),
  });
  socket.on('data', (chunk: Buffer) => halved.push(chunk));
  socket.on('end', () => halved.push(null)).on('error', (error) => halved.destroy(error));
  return halved;
}

function secure(visit: Visit): TLSSocket {
  const { sni, alpn = ['http/1.1'], helloMs } = visit;
  const servername = sni === '' ? {} : { servername: sni };
  return connectTls({
    ...(helloMs === undefined ? addressOf(visit) : { socket: inTwoPackets(visit, helloMs) }),
    ALPNProtocols: [...alpn],
    rejectUnauthorized: false,
    ...visit.client,
    ...servername,
  });
}

function errorOf({ code = 'unknown' }: NodeJS.ErrnoException): string {
  return /EPROTO|UNRECOGNIZED_NAME/.test(code) ? 'alert' : code;
}

function speak(visit: Visit): Promise<Visited> {
  const socket: Socket = visit.sni === undefined ? connectTcp(addressOf(visit)) : secure(visit);
  let seen: Omit<Visited, 'answer'> = {};
  let answer = '';
  socket.setEncoding('latin1');
  socket.on('secureConnect', () => {
    const tls = socket as TLSSocket;
    const fingerprint = tls.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? '';
    seen = { fingerprint, ...(tls.alpnProtocol === false ? {} : { alpn: tls.alpnProtocol ?? '' }) };
  });
  const pieces = visit.send ?? [];
  pieces.forEach((piece, index) =>
    setTimeout(
      () => {
        if (socket.destroyed) return;
        const isLast = index === pieces.length - 1;
        socket.write(isLast ? piece.repeat(visit.times ?? 1) : piece, 'latin1');
        if (isLast && visit.upload !== undefined) socket.write(Buffer.alloc(visit.upload));
      },
      index * (visit.pauseMs ?? 0),
    ),
  );
  return new Promise((resolve) => {
    const over = (isClosed = false): void => {
      clearTimeout(quiet);
      resolve({ ...seen, answer, ...(isClosed ? { isClosed } : {}) });
      socket.destroy();
    };
    const lengthMs = (visit.quietMs ?? 1500) + (visit.send?.length ?? 0) * (visit.pauseMs ?? 0);
    const quiet = setTimeout(() => over(), lengthMs);
    socket.on('data', (chunk: string) => {
      answer += chunk;
      quiet.refresh();
    });
    socket.on('close', () => over(true));
    socket.on('error', (error) => resolve({ ...seen, answer, error: errorOf(error), isClosed: true }));
  });
}

async function speakHttp2(visit: Visit, headers: Readonly<Record<string, string>>): Promise<Visited> {
  const session = connectHttp2(`https://${visit.sni}`, { createConnection: () => secure(visit) });
  // An extended CONNECT (RFC 8441) waits for the server's yes.
  await new Promise((resolve) => session.on('remoteSettings', resolve).on('error', resolve));
  const stream = session.request(headers, { endStream: visit.send === undefined });
  let answer = '';
  let heard: IncomingHttpHeaders = {};
  stream.setEncoding('latin1');
  stream.on('response', (found) => {
    heard = found;
    const pieces = visit.send ?? [];
    pieces.forEach((piece, index) => setTimeout(() => stream.write(piece), index * (visit.pauseMs ?? 0)));
    if (visit.pauseMs !== undefined) setTimeout(() => stream.end(), pieces.length * visit.pauseMs);
  });
  let after: IncomingHttpHeaders | undefined;
  stream.on('trailers', (found) => (after = found));
  stream.on('data', (chunk: string) => (answer += chunk));
  return new Promise((resolve) => {
    const end = (error?: Error): void => {
      const trailers = after === undefined ? {} : { trailers: after };
      resolve({
        answer,
        headers: heard,
        ...trailers,
        ...(error === undefined ? {} : { error: errorOf(error) }),
      });
      session.destroy();
    };
    session.on('error', end);
    stream.on('error', end);
    stream.on('end', () => end());
    if (visit.send !== undefined) setTimeout(() => end(), visit.quietMs ?? 1500);
  });
}

/** All at once: `[visit, …]` as the argument, and the answers as a line of JSON. */
const visits = JSON.parse(process.argv[2] ?? '[]') as readonly Visit[];
const visited = await Promise.all(
  visits.map((visit) => (visit.http2 === undefined ? speak(visit) : speakHttp2(visit, visit.http2))),
);
process.stdout.write(`${JSON.stringify(visited)}\n`, () => process.exit());
