import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import type { ExitVisit, TcpProbe, TlsProbe } from '../../core/exits.ts';

/** What is said over a stream that is open, and what it showed. Ends by itself, and the stream with it. */
export type Exchange = (socket: Socket, signal: AbortSignal) => Promise<Found>;
export type Found = Pick<ExitVisit, 'outcome' | 'seen'>;

const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 1024;
const MAX_PAGE_BYTES = 16 * 1024;
const CARRIED: Found = { outcome: 'carried' };

export function tcpExchange({ send, isProof }: TcpProbe): Exchange {
  return (socket, signal) =>
    settled(socket, signal, (settle) => {
      const answer = collect(socket, MAX_ANSWER_BYTES, (bytes) => {
        if (isProof(bytes)) settle(CARRIED);
      });
      socket.on('close', () => settle({ outcome: 'other', seen: digest(answer()) }));
      socket.write(send);
      return () => ({ outcome: 'other', seen: digest(answer()) });
    });
}

/** Nothing is asked for before the certificate is right. */
export function tlsExchange({ servername, fingerprints, page }: TlsProbe): Exchange {
  return (raw, signal) =>
    settled(raw, signal, (settle) => {
      // Only the fingerprint counts; the handshake itself proves that the far end has the key for it.
      const socket = connect({
        socket: raw,
        servername,
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
      });
      let seen = 'no TLS';
      socket.on('secureConnect', () => {
        seen = digest((socket.getPeerCertificate() as { raw?: Buffer }).raw ?? Buffer.alloc(0));
        if (!fingerprints.includes(seen)) return settle({ outcome: 'other', seen });
        if (page === undefined) return settle(CARRIED);
        socket.write(`GET ${page.path} HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`);
        return undefined;
      });
      collect(socket, MAX_PAGE_BYTES, (bytes) => {
        if (page !== undefined && bytes.includes(page.contains)) settle(CARRIED);
      });
      const other = (): Found => ({ outcome: 'other', seen });
      socket.on('error', () => settle(other()));
      socket.on('close', () => settle(other()));
      return other;
    });
}

function collect(socket: Socket, max: number, heard: (bytes: Buffer) => void): () => Buffer {
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]).subarray(0, max);
    heard(bytes);
  });
  return () => bytes;
}

/** `begin` says what counts when the time is over. */
function settled(
  socket: Socket,
  signal: AbortSignal,
  begin: (settle: (found: Found) => void) => () => Found,
): Promise<Found> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      act();
    };
    const abort = (): void => finish(() => reject(signal.reason as Error));
    const timer = setTimeout(() => finish(() => resolve(late())), ANSWER_MS);
    signal.addEventListener('abort', abort, { once: true });
    // What becomes of the stream is told by its end.
    socket.on('error', () => socket.destroy());
    const late = begin((found) => finish(() => resolve(found)));
    if (signal.aborted) abort();
  });
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
