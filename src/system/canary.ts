import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { TcpProbe } from '../core/exits.ts';
import type { Lease, MappingDriver } from '../core/mapping.ts';

const NONCE_BYTES = 32;
/** Longer than a look from outside takes; the router forgets it by itself should we end before. */
const LEASE_SECONDS = 180;
const IDLE_MS = 15_000;

export interface CanaryOptions {
  /** Of the router that is tried. */
  readonly driver: MappingDriver;
  /** Our address as the router sees it. */
  readonly address: string;
  readonly description: string;
  /** It could not be closed in the router, and ends there with its lease. */
  readonly left: (lease: Lease, error: unknown) => void;
}

export type CanaryProbe = Pick<TcpProbe, 'send' | 'isProof'> & { readonly externalPort: number };

/**
 * Opens a TCP port here and in the router for the length of `look`. It answers a nonce with what only this process can
 * know, and nothing else. Rejects with `MappingError` when the router does not open it.
 */
export async function withCanary<Result>(
  { driver, address, description, left }: CanaryOptions,
  look: (probe: CanaryProbe) => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const secret = randomBytes(32);
  const answerTo = (nonce: Uint8Array): Buffer => createHmac('sha256', secret).update(nonce).digest();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => serve(socket, answerTo, sockets));
  server.maxConnections = 32;
  server.listen({ host: address, port: 0, exclusive: true });
  await once(server, 'listening', { signal });
  const { port } = server.address() as AddressInfo;
  let lease: Lease | undefined;
  try {
    const request = { transport: 'tcp', internalAddress: address, internalPort: port } as const;
    const nonce = randomBytes(12).toString('hex');
    const wanted = { ...request, externalPort: port, lifetimeSeconds: LEASE_SECONDS, description, nonce };
    lease = await driver.map(wanted, signal);
    const send = randomBytes(NONCE_BYTES);
    const isProof = (answer: Uint8Array): boolean => answerTo(send).equals(answer);
    return await look({ externalPort: lease.externalPort, send, isProof });
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy();
    // Also when nobody waits any more: what was opened for a moment is closed.
    if (lease !== undefined) await close(driver, lease, left);
  }
}

async function close(driver: MappingDriver, lease: Lease, left: CanaryOptions['left']): Promise<void> {
  try {
    await driver.unmap(lease, AbortSignal.timeout(IDLE_MS));
  } catch (error) {
    left(lease, error);
  }
}

function serve(socket: Socket, answerTo: (nonce: Uint8Array) => Buffer, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => socket.destroy());
  let heard = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    if (heard.length >= NONCE_BYTES) socket.end(answerTo(heard.subarray(0, NONCE_BYTES)));
  });
}
