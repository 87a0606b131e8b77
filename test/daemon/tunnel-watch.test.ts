import { beforeEach, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { Desired } from '../../src/core/desired.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Helper } from '../../src/core/ports.ts';
import { TunnelWatch } from '../../src/daemon/tunnel-watch.ts';

/** A clock, a tunnel and a relay that say what the test wants; what is told to the helper. */
const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const network = networkFor('gw', '10.64.0.0/20');
const tunnel = {
  relay: 'vps',
  number: 0,
  publicKey: KEY,
  endpoints: ['vps.test:51820', '11.1.0.2:443'],
  address: '10.127.0.2',
  relayAddress: '10.127.0.1',
  mtu: 1420,
  ports: [],
};
const relay = { name: 'vps', address: 'vps.test:7443', fingerprint: 'x', home: 'y' };
const desired = {
  network,
  relays: [relay],
  resources: new Map([['relay', [{ key: 'tunnel:vps', spec: { type: 'tunnel', tunnel }, neededBy: [] }]]]),
} as unknown as Desired;

let nowMs = 0;
let handshakeMs = 0;
let dialled: string[] = [];
let told: string[] = [];
let said: () => { carrying: { handshakeAgeSeconds: number | null } } = () => ({
  carrying: { handshakeAgeSeconds: 1 },
});
let watch: TunnelWatch;

const helper = {
  call: (name: string, input: { endpoint?: string }) => {
    if (name === 'tunnel.dial') return Promise.resolve(dialled.push(input.endpoint ?? ''));
    return Promise.resolve({ tunnels: [{ number: 0, latestHandshake: handshakeMs / 1000 }] });
  },
} as unknown as Helper;

beforeEach(() => {
  [nowMs, handshakeMs, dialled, told] = [1_000_000, 1_000_000, [], []];
  said = () => ({ carrying: { handshakeAgeSeconds: 1 } });
  watch = new TunnelWatch({
    desired: () => desired,
    helper,
    vantages: { status: () => Promise.resolve().then(said) as never },
    resolve: () => Promise.resolve(['11.9.0.2']),
    now: () => nowMs,
    log: () => undefined,
    record: (type, message) => void told.push(`${type}: ${message}`),
  });
});

/** A second at a time, as the daemon ticks. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    nowMs += 1000;
    await watch.settle(AbortSignal.timeout(1000));
  }
}

describe('a tunnel', () => {
  it('that hears of its relay is left alone', async () => {
    for (let minute = 0; minute < 10; minute += 1) {
      await pass(60);
      handshakeMs = nowMs;
    }
    expect(dialled).toEqual([]);
  });

  it('that never heard of it is dialled at each endpoint in turn, names looked up anew', async () => {
    handshakeMs = 0;
    await pass(45);
    expect(dialled).toEqual(['11.1.0.2:443', '11.9.0.2:51820', '11.1.0.2:443']);
    // Each address is told once while it is silent, and that it works again.
    await pass(300);
    handshakeMs = nowMs;
    await pass(20);
    expect(told).toEqual([
      'tunnel.dialled: the tunnel to vps is dialled again at 11.1.0.2:443: it is silent',
      'tunnel.dialled: the tunnel to vps is dialled again at 11.9.0.2:51820: it is silent',
      'tunnel.healed: the tunnel to vps works again',
    ]);
  });

  it('is dialled again soon where the relay has forgotten it, at the same endpoint, and once', async () => {
    await pass(20);
    said = () => ({ carrying: { handshakeAgeSeconds: null } });
    watch.hurry();
    await pass(4);
    expect(dialled).toEqual(['11.9.0.2:51820']);
    expect(told).toEqual([expect.stringMatching(/^tunnel\.dialled: .*: the relay has forgotten it$/)]);
    said = () => ({ carrying: { handshakeAgeSeconds: 0 } });
    await pass(60);
    expect(dialled).toHaveLength(1);
  });

  it('is left alone while the relay itself does not answer, and goes on being heard', async () => {
    await pass(20);
    said = () => {
      throw new GatewayError('gone', { code: 'RelayUnreachable' });
    };
    await pass(60);
    expect(dialled).toEqual([]);
  });
});
