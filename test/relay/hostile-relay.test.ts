import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { judgeDialled } from '../../providers/wireguard/prove.ts';
import { parseEndpoint } from '../../src/core/inet.ts';
import type { DialledBack } from '../../src/core/ports.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { initiate } from '../../src/wire/wireguard-handshake.ts';
import { probePresharedKey } from '../../src/wire/wireguard-probe.ts';
import { fakeRelay, vantagesOf } from '../support/relay-peer.ts';

/** A relay that was taken over: it knows the certificate and everything that home says, and answers as it likes. */
const publicKey = nodeCrypto.curve25519Public(nodeCrypto.curve25519Secret());
const make = () =>
  initiate(
    {
      publicKey,
      privateKey: nodeCrypto.curve25519Secret(),
      presharedKey: probePresharedKey(publicKey),
      ephemeral: nodeCrypto.curve25519Secret(),
      index: 7,
      nowMs: 1_800_000_000_000,
    },
    nodeCrypto,
  );
const place = { endpoint: parseEndpoint('11.2.0.2:51820')!, addresses: ['11.2.0.2'] };
const value = (answer: Uint8Array, change: Record<string, unknown> = {}) => ({
  from: '11.1.0.3',
  to: '11.2.0.2',
  isOtherAddress: true,
  outcome: 'answered',
  answer: Buffer.from(answer).toString('base64'),
  ...change,
});
const reply = (body: unknown) => (_line: string, socket: TLSSocket) =>
  void socket.end(`${JSON.stringify(body)}\n`);
const payloadOf = (line: string): Buffer =>
  Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64');

const LIES: Readonly<Record<string, (line: string, socket: TLSSocket) => void>> = {
  'an invented answer of the right length': reply({
    ok: true,
    value: value(Uint8Array.from([2, 0, 0, 0, 9, 9, 9, 9, 7, 0, 0, 0, ...randomBytes(80)])),
  }),
  'our own bytes': (line, socket) => reply({ ok: true, value: value(payloadOf(line)) })(line, socket),
  'a proof in words': reply({
    ok: true,
    value: { ...value(new Uint8Array()), reachable: 'yes', outcome: 'proved' },
  }),
  'an answer that is too long': reply({ ok: true, value: value(randomBytes(8200)) }),
  'a flood': (_line, socket) => {
    const more = (): void => void (socket.destroyed || socket.write('x'.repeat(65_536), more));
    more();
  },
  'no JSON': (_line, socket) => void socket.end('{{{{\n'),
  'a success without a value': reply({ ok: true }),
  'an address of the other family': reply({
    ok: true,
    value: value(new Uint8Array(), { to: '2001:db9::1' }),
  }),
  'an address that is no address': reply({ ok: true, value: value(new Uint8Array(), { to: 'rm -rf /' }) }),
  'a refusal with a message that moves the cursor': reply({
    ok: false,
    failure: 'refused',
    message: '\u001b[2Jall is well',
  }),
  'nothing, and hangs up': (_line, socket) => void socket.destroy(),
};

it.each(Object.entries(LIES))('%s opens nothing', async (_what, answer) => {
  await using relay = await fakeRelay(answer);
  await using home = await vantagesOf(relay);
  const { message, judge } = make();
  const request = { protocol: 'udp', family: 4, port: 51820, payload: message } as const;
  const dialled = await home.vantages.dialBack(request, AbortSignal.timeout(15_000));
  const reach = judgeDialled(dialled, judge, place, Date.now());
  expect(reach?.reachable).toBe('unknown');
  expect(reach?.detail).toMatch(/^[\x20-\x7e]{1,500}$/);
});

it('one that says nothing is not waited for longer than the visit lasts', async () => {
  await using relay = await fakeRelay(() => undefined);
  await using home = await vantagesOf(relay);
  const request = { protocol: 'udp', family: 4, port: 51820, payload: make().message } as const;
  await expect(home.vantages.dialBack(request, AbortSignal.timeout(300))).rejects.toMatchObject({
    code: 'Aborted',
  });
});

it('another one with the address of ours is told nothing', async () => {
  await using relay = await fakeRelay(() => undefined);
  await using home = await vantagesOf({ ...relay, fingerprint: randomBytes(32).toString('base64url') });
  const request = { protocol: 'udp', family: 4, port: 51820, payload: make().message } as const;
  const dialled = await home.vantages.dialBack(request, AbortSignal.timeout(5000));
  expect(dialled).toMatchObject({
    status: 'unreachable',
    detail: expect.stringContaining('not the one that was joined'),
  });
  expect(relay.heard).toEqual([]);
  expect(home.told).toHaveLength(1);
});

it('silence is "no" only where devices dial, and nothing else is', () => {
  const { judge } = make();
  const dialled = (change: object): DialledBack => ({
    status: 'dialled',
    relay: 'vps',
    from: '11.1.0.3',
    to: '11.2.0.2',
    isOtherAddress: true,
    outcome: 'silent',
    answer: new Uint8Array(),
    ...change,
  });
  const verdict = (found: DialledBack, at = place) => judgeDialled(found, judge, at, 0)?.reachable;
  expect(verdict(dialled({}))).toBe('no');
  expect(verdict(dialled({ outcome: 'refused' }))).toBe('no');
  expect(verdict(dialled({ to: '11.9.9.9' }))).toBe('unknown');
  expect(verdict(dialled({}), { ...place, addresses: [] })).toBe('unknown');
  expect(verdict({ status: 'unreachable', detail: 'x' })).toBe('unknown');
  expect(verdict({ status: 'none' })).toBeUndefined();
});
