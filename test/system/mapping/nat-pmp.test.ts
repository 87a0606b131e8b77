import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { NatPmpDriver } from '../../../src/system/mapping/nat-pmp.ts';
import type { MappingRequest } from '../../../src/core/mapping.ts';

const ROUTER = '127.0.0.51';
const REQUEST: MappingRequest = {
  transport: 'udp',
  internalAddress: '127.0.0.1',
  internalPort: 51820,
  externalPort: 51820,
  lifetimeSeconds: 3600,
  description: 'test',
  nonce: '00'.repeat(12),
};

type Reply = (request: Buffer, count: number, port: number) => readonly Buffer[];
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A router on a real socket that says what the test wants. */
async function router(reply: Reply, address = ROUTER): Promise<void> {
  const socket = createSocket('udp4');
  let count = 0;
  socket.on('message', (message, from) => {
    count += 1;
    for (const answer of reply(message, count, from.port)) socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(5351, address, resolve));
  closers.push(() => new Promise((resolve) => socket.close(() => resolve())));
}

function answerOf(
  request: Buffer,
  change: Partial<Record<'result' | 'epoch' | 'lifetime' | 'port', number>> = {},
) {
  const { result = 0, epoch = 77, lifetime = 1800, port = 50_000 } = change;
  const isMap = request[1] !== 0;
  const bytes = Buffer.alloc(isMap ? 16 : 12);
  bytes.writeUInt8(128 + (request[1] ?? 0), 1);
  bytes.writeUInt16BE(result, 2);
  bytes.writeUInt32BE(epoch, 4);
  if (!isMap) return bytes.fill(Buffer.from([11, 2, 0, 2]), 8);
  bytes.writeUInt16BE(request.readUInt16BE(4), 8);
  bytes.writeUInt16BE(port, 10);
  bytes.writeUInt32BE(lifetime, 12);
  return bytes;
}

const signal = AbortSignal.timeout(20_000);

describe('NAT-PMP', () => {
  it('takes the port, the lifetime and the address that the router gives', async () => {
    await router((request) => [answerOf(request)]);
    expect(await new NatPmpDriver(ROUTER).map(REQUEST, signal)).toMatchObject({
      protocol: 'nat-pmp',
      router: ROUTER,
      externalPort: 50_000,
      externalAddress: '11.2.0.2',
      lifetimeSeconds: 1800,
      mark: { epochSeconds: 77 },
    });
  });

  it('asks again when a packet is lost', async () => {
    await router((request, count) => (count === 1 ? [] : [answerOf(request)]));
    expect((await new NatPmpDriver(ROUTER).map(REQUEST, signal)).externalPort).toBe(50_000);
  });

  it('takes no answer to another question for its own', async () => {
    const other = Buffer.from(answerOf(Buffer.from([0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])));
    await router((request) => [Buffer.alloc(3), other, answerOf(request)]);
    expect((await new NatPmpDriver(ROUTER).map(REQUEST, signal)).internalPort).toBe(51_820);
  });

  it.each([
    [2, 'not-authorized', 'not authorized'],
    [3, 'no-address', 'network failure'],
    [4, 'no-resources', 'out of resources'],
    [5, 'unsupported', 'unsupported opcode'],
    [99, 'failed', 'unknown error'],
  ])('says what result %i means', async (result, refusal, words) => {
    await router((request) => [answerOf(request, { result })]);
    const mapping = new NatPmpDriver(ROUTER).map(REQUEST, signal);
    await expect(mapping).rejects.toMatchObject({ code: 'MappingFailed', refusal });
    await expect(mapping).rejects.toThrow(words);
  });

  it('understands an error that is cut short, and one of a router that speaks PCP only', async () => {
    await router((request, count) => [
      count === 1 ? answerOf(request, { result: 2 }).subarray(0, 8) : Buffer.from([2, 128, 0, 1]),
    ]);
    const driver = new NatPmpDriver(ROUTER);
    await expect(driver.map(REQUEST, signal)).rejects.toMatchObject({ refusal: 'not-authorized' });
    await expect(driver.map(REQUEST, signal)).rejects.toMatchObject({ refusal: 'unsupported' });
  });

  it('hears at once that nothing listens there', async () => {
    await expect(new NatPmpDriver('127.0.0.52').map(REQUEST, signal)).rejects.toMatchObject({
      refusal: 'unsupported',
    });
  });

  it('gives up when nobody answers, and when it is told to', async () => {
    await router(() => []);
    await expect(new NatPmpDriver(ROUTER, 2).map(REQUEST, signal)).rejects.toMatchObject({
      refusal: 'silent',
    });
    const aborted = new NatPmpDriver(ROUTER).map(REQUEST, AbortSignal.timeout(50));
    await expect(aborted).rejects.toMatchObject({ code: 'Aborted' });
  });

  it('believes nobody but the router', async () => {
    const liar = createSocket('udp4');
    await new Promise<void>((resolve) => liar.bind(5351, '127.0.0.66', resolve));
    closers.push(() => new Promise((resolve) => liar.close(() => resolve())));
    let lies = 0;
    // Somebody in the same network who sees each question, and answers it in the router's stead.
    await router((request, _count, port) => {
      liar.send(answerOf(request, { port: 6666 }), port, '127.0.0.1', () => undefined);
      lies += 1;
      return [];
    });
    const asking = new NatPmpDriver(ROUTER, 2).map(REQUEST, signal);
    await expect(asking).rejects.toMatchObject({ refusal: 'silent' });
    expect(lies).toBe(2);
  });

  it('deletes with port and lifetime 0', async () => {
    const heard: string[] = [];
    await router((request) => {
      heard.push(request.toString('hex'));
      return [answerOf(request, { port: 0, lifetime: 0 })];
    });
    const driver = new NatPmpDriver(ROUTER);
    const { transport, internalAddress, internalPort, nonce, description } = REQUEST;
    const identity = { transport, internalAddress, internalPort, nonce, description, router: ROUTER };
    await driver.unmap(
      { ...identity, protocol: 'nat-pmp', externalPort: 1, lifetimeSeconds: 1, mark: {} },
      signal,
    );
    expect(heard).toEqual(['00010000ca6c000000000000']);
  });
});
