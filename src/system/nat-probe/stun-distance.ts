import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseStunAnswer, renderStunRequest, type StunAddress } from '../../wire/stun.ts';

const MOST_TTL = 20;
/** Servers ration answers: one TTL after the other, and none after the first that is answered. */
const GAP_MS = 60;
const LATE_MS = 400;

/** Routers between here and a STUN server over IPv4: one less than the smallest TTL with which it is reached. */
export async function distanceToStun(server: StunAddress, signal: AbortSignal): Promise<number | undefined> {
  const socket = createSocket('udp4');
  const asked = new Map<string, number>();
  /** The TTLs that were answered. */
  const answered: number[] = [];
  socket.on('error', () => undefined);
  socket.on('message', (bytes) => {
    const answer = parseStunAnswer(bytes);
    const ttl = answer && asked.get(Buffer.from(answer.transaction).toString('hex'));
    if (ttl !== undefined) answered.push(ttl);
  });
  const ask = async (ttl: number): Promise<void> => {
    const transaction = Uint8Array.from(randomBytes(12));
    asked.set(Buffer.from(transaction).toString('hex'), ttl);
    const request = renderStunRequest({ transaction, changeAddress: false, changePort: false });
    socket.setTTL(ttl);
    await new Promise<void>((resolve) => socket.send(request, server.port, server.host, () => resolve()));
    if (!signal.aborted) await sleep(GAP_MS);
  };
  try {
    await new Promise<void>((resolve) => socket.bind(0, resolve));
    for (let ttl = 1; ttl <= MOST_TTL && answered.length === 0 && !signal.aborted; ttl += 1) await ask(ttl);
    for (let waited = 0; waited < LATE_MS && !signal.aborted; waited += GAP_MS) await sleep(GAP_MS);
    // The first that was answered may be the second that arrived.
    for (let again = 0; again < 2 && answered.length > 0; again += 1)
      await ask(Math.max(1, Math.min(...answered) - 1));
    return answered.length === 0 ? undefined : Math.min(...answered) - 1;
  } finally {
    socket.removeAllListeners().on('error', () => undefined);
    socket.close();
  }
}
