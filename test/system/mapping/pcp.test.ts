import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import type { Lease, MappingRequest } from '../../../src/core/mapping.ts';
import { PcpDriver } from '../../../src/system/mapping/pcp.ts';
import { PCP_RESULTS } from '../../../src/wire/pcp.ts';

const ROUTER = '127.0.0.55';
const REQUEST: MappingRequest = {
  transport: 'udp',
  internalAddress: '127.0.0.1',
  internalPort: 51_820,
  externalPort: 51_820,
  externalAddress: '11.2.0.2',
  lifetimeSeconds: 3600,
  description: 'test',
  nonce: '0102030405060708090a0b0c',
};
const LEASE: Lease = { ...REQUEST, protocol: 'pcp', router: ROUTER, mark: {} };

const closers: (() => Promise<void>)[] = [];
const heard: Buffer[] = [];
afterEach(async () => {
  heard.length = 0;
  for (const close of closers.splice(0)) await close();
});

async function router(reply: (request: Buffer) => readonly Buffer[]): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    heard.push(message);
    for (const answer of reply(message)) socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(5351, ROUTER, resolve));
  closers.push(() => new Promise((resolve) => socket.close(() => resolve())));
}

/** As a PCP server answers: the request, with the answer bit, a result, a lifetime and the epoch. */
function answerOf(
  request: Buffer,
  change: { result?: number; lifetime?: number; port?: number } = {},
): Buffer {
  const bytes = Buffer.from(request);
  bytes.writeUInt8((request[1] ?? 0) + 128, 1);
  bytes.writeUInt8(change.result ?? 0, 3);
  bytes.writeUInt32BE(change.lifetime ?? 120, 4);
  bytes.writeUInt32BE(77, 8);
  bytes.fill(0, 12, 24);
  if (bytes.length >= 60) bytes.writeUInt16BE(change.port ?? 50_000, 42);
  return bytes;
}

const signal = AbortSignal.timeout(20_000);

describe('PCP', () => {
  it('sends what RFC 6887 11.1 draws, and takes what the router gives', async () => {
    await router((request) => [answerOf(request)]);
    expect(await new PcpDriver(ROUTER).map(REQUEST, signal)).toMatchObject({
      externalPort: 50_000,
      externalAddress: '11.2.0.2',
      lifetimeSeconds: 120,
      mark: { epochSeconds: 77 },
    });
    expect(heard.map((bytes) => bytes.toString('hex'))).toEqual([
      '0201000000000e1000000000000000000000ffff7f0000010102030405060708090a0b0c11000000ca6cca6c00000000000000000000ffff0b020002',
    ]);
  });

  it('takes no answer with another nonce, of another port or protocol', async () => {
    await router((request) => {
      const [nonce, port, protocol] = [answerOf(request), answerOf(request), answerOf(request)];
      nonce.writeUInt8(9, 24);
      port.writeUInt16BE(1, 40);
      protocol.writeUInt8(6, 36);
      for (const lie of [nonce, port, protocol]) lie.writeUInt16BE(6666, 42);
      return [nonce, port, protocol, answerOf(request)];
    });
    expect((await new PcpDriver(ROUTER).map(REQUEST, signal)).externalPort).toBe(50_000);
  });

  it.each([
    [2, 'not-authorized'],
    [4, 'unsupported'],
    [7, 'no-address'],
    [8, 'no-resources'],
    [10, 'no-resources'],
    [11, 'conflict'],
    [12, 'address-mismatch'],
    [3, 'failed'],
    [200, 'failed'],
  ])('says what result %i means', async (result, refusal) => {
    await router((request) => [answerOf(request, { result })]);
    const mapping = new PcpDriver(ROUTER).map(REQUEST, signal);
    await expect(mapping).rejects.toMatchObject({ code: 'MappingFailed', refusal });
    await expect(mapping).rejects.toThrow(PCP_RESULTS[result] ?? `result ${result}`);
  });

  it('knows a NAT-PMP router by its answer, and an empty mapping for none', async () => {
    await router(() => [Buffer.from([0, 128, 0, 1, 0, 0, 0, 9])]);
    await expect(new PcpDriver(ROUTER).map(REQUEST, signal)).rejects.toMatchObject({
      refusal: 'unsupported',
    });
    await closers.pop()?.();
    await router((request) => [answerOf(request, { port: 0 })]);
    await expect(new PcpDriver(ROUTER).map(REQUEST, signal)).rejects.toMatchObject({ refusal: 'failed' });
  });

  it('looks by asking for the same again, and deletes with lifetime 0 and its nonce', async () => {
    await router((request) => [answerOf(request)]);
    const driver = new PcpDriver(ROUTER);
    const seen = await driver.check(LEASE, signal);
    expect(seen).toEqual({ mark: { epochSeconds: 77 }, isThere: false, externalAddress: '11.2.0.2' });
    expect(await driver.check({ ...LEASE, externalPort: 50_000 }, signal)).toMatchObject({ isThere: true });
    await driver.unmap(LEASE, signal);
    const [look, , deletion] = heard.map((bytes) => bytes.toString('hex'));
    expect(look?.slice(48, 88)).toBe('0102030405060708090a0b0c11000000ca6cca6c');
    expect(deletion?.slice(0, 16)).toBe('0201000000000000');
    expect(deletion?.slice(48, 88)).toBe('0102030405060708090a0b0c11000000ca6c0000');
  });
});
