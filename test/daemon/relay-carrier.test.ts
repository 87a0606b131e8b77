import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whyTellAgain } from '../../src/core/carrier.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { RelayCarried, RelayCarry, RelayCarrying } from '../../src/core/relay-carry.ts';
import type { Relay } from '../../src/core/relay.ts';
import { RelayCarrier } from '../../src/daemon/relay-carrier.ts';

const signal = AbortSignal.timeout(10_000);
const CARRY: RelayCarry = { names: ['a.test'], ports: [{ protocol: 'tcp', from: 9735 }], devices: false };
const GRANTED: RelayCarried = {
  names: [{ name: 'a.test', granted: true }],
  ports: [{ protocol: 'tcp', from: 9735, granted: true }],
  devicesPort: null,
};

let directory: string;
let relays: readonly Relay[];
let asked: RelayCarry[];
let isUp: boolean;
let granted: RelayCarried;
let carrying: RelayCarrying | undefined;

function open(): RelayCarrier {
  const vantages = {
    ask: (_relay: Relay, question: { carry: RelayCarry }) => {
      if (!isUp) return Promise.reject(new GatewayError('nobody answers', { code: 'RelayUnreachable' }));
      asked.push(question.carry);
      return Promise.resolve(granted);
    },
    status: () => Promise.resolve({}),
    carrying: () => carrying,
  };
  return new RelayCarrier({
    path: join(directory, 'carried.json'),
    relays: () => relays,
    vantages: vantages as never,
    log: () => undefined,
  });
}

const vps = (home: string): Relay => ({ name: 'vps', address: '11.1.0.2:7443', fingerprint: 'x', home });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-carried-'));
  granted = GRANTED;
  [relays, asked, isUp, carrying] = [[vps('0123456789abcdef')], [], true, undefined];
});
afterEach(() => rm(directory, { recursive: true }));

describe('what a relay is asked to carry', () => {
  it('is remembered over a restart, with what it said, and not asked for again', async () => {
    await open().carry('vps', CARRY, signal);
    const [kept] = await open().kept();
    expect(kept).toEqual({ relay: 'vps', asked: CARRY, said: GRANTED });
    expect(asked).toEqual([CARRY]);
    expect(kept === undefined ? 'gone' : whyTellAgain(kept)).toBeUndefined();
  });

  it('tells where devices come in, while the relay that granted it is joined, and notices when it forgot', async () => {
    const tunnel = {
      publicKey: 'x',
      endpoints: ['vps.test:51820', 'vps.test:443'],
      address: '',
      relayAddress: '',
    };
    relays = [{ ...vps('0123456789abcdef'), tunnel }];
    granted = { names: [], ports: [], devicesPort: 51_821 };
    await open().carry('vps', { names: [], ports: [], devices: true }, signal);
    const [kept] = await open().kept();
    expect(kept?.devices).toEqual({ endpoint: 'vps.test:51821', tunnelMtu: 1420 });
    const told = { tlsPort: 443, httpPort: 80, handshakeAgeSeconds: 1, receivedBytes: 0, sentBytes: 0 };
    carrying = { ...told, names: [], ports: [], devicesPort: null };
    const [again] = await open().kept();
    expect(again === undefined ? 'gone' : whyTellAgain(again)).toBe(
      'the relay does not carry devices any more',
    );
    relays = [{ ...vps('fedcba9876543210'), tunnel }];
    expect((await open().kept())[0]?.devices).toBeUndefined();
  });

  it('is asked for again when the relay did not answer, was joined anew, or forgot', async () => {
    isUp = false;
    await expect(open().carry('vps', CARRY, signal)).rejects.toMatchObject({ code: 'RelayUnreachable' });
    const why = async (): Promise<string | undefined> => {
      const [kept] = await open().kept();
      return kept === undefined ? 'gone' : whyTellAgain(kept);
    };
    expect(await why()).toBe('the relay did not answer yet');
    isUp = true;
    await open().carry('vps', CARRY, signal);
    expect(await why()).toBeUndefined();
    const told = { tlsPort: 443, httpPort: 80, handshakeAgeSeconds: 1, receivedBytes: 0, sentBytes: 0 };
    carrying = { ...told, names: ['a.test'], ports: [], devicesPort: null };
    expect(await why()).toBe('the relay does not carry port 9735 any more');
    carrying = { ...told, names: [], ports: CARRY.ports, devicesPort: null };
    expect(await why()).toBe('the relay does not carry a.test any more');
    carrying = undefined;
    relays = [vps('fedcba9876543210')];
    expect(await why()).toBe('the relay did not answer yet');
  });

  it('is forgotten when it ends, whether the relay can be told or not', async () => {
    await open().carry('vps', CARRY, signal);
    await open().release('vps', signal);
    expect(asked.at(-1)).toEqual({ names: [], ports: [], devices: false });
    expect(await open().kept()).toEqual([]);
    await open().carry('vps', CARRY, signal);
    isUp = false;
    await open().release('vps', signal);
    expect(await open().kept()).toEqual([]);
    relays = [];
    await open().release('vps', signal);
    await expect(open().carry('vps', CARRY, signal)).rejects.toMatchObject({ code: 'RelayUnknown' });
  });

  it('is not known any more from a file that is damaged, and loses nothing by that', async () => {
    await open().carry('vps', CARRY, signal);
    await writeFile(join(directory, 'carried.json'), '{"relays":[{"relay":7}]}');
    expect(await open().kept()).toEqual([]);
    await open().carry('vps', CARRY, signal);
    expect(await readFile(join(directory, 'carried.json'), 'utf8')).toContain('a.test');
  });
});
