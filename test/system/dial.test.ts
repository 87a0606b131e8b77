import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket as TcpSocket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { dialTcp, dialUdp } from '../../src/system/dial.ts';

/** What stands at home, on a real socket; `from` is an address that home did not contact. */
const open: (Socket | Server)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
const signal = AbortSignal.timeout(30_000);
const PLACE = { from: '127.0.0.2', to: '127.0.0.1' } as const;

async function udp(answer: (data: Buffer, port: number, socket: Socket) => void): Promise<number> {
  const socket = createSocket('udp4');
  open.push(socket);
  socket.on('message', (data, { port }) => answer(data, port, socket));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

async function tcp(answer: (socket: TcpSocket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    answer(socket);
  });
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('over UDP', () => {
  it('carries a nonce there and back, from the address that it was told', async () => {
    const nonce = randomBytes(32);
    const port = await udp((data, from, socket) => socket.send(data, from, '127.0.0.2'));
    const dialled = await dialUdp({ ...PLACE, port, payload: nonce, enough: 0 }, signal);
    expect(dialled.outcome).toBe('answered');
    expect(Buffer.compare(dialled.answer, nonce)).toBe(0);
  });

  it('cuts an answer that is too long', async () => {
    const port = await udp((_data, from, socket) => socket.send(Buffer.alloc(60_000), from, '127.0.0.2'));
    const dialled = await dialUdp({ ...PLACE, port, payload: randomBytes(8), enough: 0 }, signal);
    expect(dialled).toMatchObject({ outcome: 'answered', answer: { length: 1024 } });
  });

  it('takes no answer from elsewhere, and waits three seconds', async () => {
    const stranger = createSocket('udp4');
    open.push(stranger);
    const port = await udp((data, from) => stranger.send(data, from, '127.0.0.2'));
    const dialled = await dialUdp({ ...PLACE, port, payload: randomBytes(8), enough: 0 }, signal);
    expect(dialled).toMatchObject({ outcome: 'silent', answer: { length: 0 } });
  });

  it('says when the port is closed, and when it cannot speak at all', async () => {
    const port = await udp(() => undefined);
    for (const one of open.splice(0)) await new Promise<void>((resolve) => one.close(() => resolve()));
    const payload = randomBytes(8);
    expect(await dialUdp({ ...PLACE, port, payload, enough: 0 }, signal)).toMatchObject({
      outcome: 'refused',
    });
    const nowhere = { ...PLACE, from: '192.0.2.1', port, payload, enough: 0 };
    expect(await dialUdp(nowhere, signal)).toMatchObject({ outcome: 'failed' });
  });
});

describe('over TCP', () => {
  it('carries a nonce there and back, and ends once it is enough', async () => {
    const nonce = randomBytes(32);
    const port = await tcp((socket) => socket.pipe(socket));
    const dialled = await dialTcp({ ...PLACE, port, payload: nonce, enough: 32 }, signal);
    expect(dialled.outcome).toBe('answered');
    expect(Buffer.compare(dialled.answer, nonce)).toBe(0);
  });

  it('cuts a flood, and one that never ends', async () => {
    const port = await tcp((socket) => {
      const more = (): void => void (socket.destroyed || socket.write(Buffer.alloc(65_536), more));
      more();
    });
    const dial = { ...PLACE, port, payload: randomBytes(8), enough: 8192 };
    expect(await dialTcp(dial, signal)).toMatchObject({ outcome: 'answered', answer: { length: 8192 } });
  });

  it('has an answer also from who accepts and says nothing', async () => {
    const port = await tcp(() => undefined);
    const dial = { ...PLACE, port, payload: randomBytes(8), enough: 32 };
    expect(await dialTcp(dial, signal)).toMatchObject({ outcome: 'answered', answer: { length: 0 } });
  });

  it('ends at once when the relay stops', async () => {
    const port = await tcp(() => undefined);
    const stop = AbortSignal.timeout(200);
    const dial = { ...PLACE, port, payload: randomBytes(8), enough: 32 };
    await expect(dialTcp(dial, stop)).rejects.toMatchObject({ code: 'Aborted' });
  });
});
