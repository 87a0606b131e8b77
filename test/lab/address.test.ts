import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AddressStatus } from '../../src/core/status.ts';
import { RelayLab } from '../support/relay-lab.ts';

/** Where the home is on the internet: told by a relay, and by STUN servers that stand in the config. */
const signal = AbortSignal.timeout(120_000);
let scene: RelayLab;

beforeAll(async () => {
  scene = await RelayLab.start('stun: ["11.1.0.2:3478", "11.1.0.3:3478"]\n', signal);
}, 60_000);
afterAll(() => scene?.lab.stop());

const ask = (...words: string[]) => scene.owner.json<AddressStatus>('address', ...words);
const by = (source: 'relay' | 'stun', address: string) => ({ family: 4, address, source });

it('is asked of the STUN servers, and of a relay as soon as one is joined', async () => {
  await expect.poll(() => ask(), { timeout: 15_000 }).toMatchObject({ ipv4: '11.2.0.2', nat: null });
  expect((await ask()).addresses).toEqual([by('stun', '11.2.0.2')]);
  await scene.owner.type('relay', 'join', (await scene.invite()).invite ?? '', '--name', 'vps');
  expect((await ask()).addresses).toEqual([by('relay', '11.2.0.2'), by('stun', '11.2.0.2')]);
  const text = (await scene.owner.type('address')).stdout;
  expect(text).toMatch(/^ADDRESS +SAID BY\n11\.2\.0\.2 +relay\n11\.2\.0\.2 +stun\n$/);
}, 40_000);

it('comes with how the NAT behaves, as a relay finds it', async () => {
  expect((await ask('--nat')).nat).toMatchObject({
    relay: 'vps',
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    isPortKept: true,
  });
}, 30_000);

it('is followed when it changes, and a way that devices dial elsewhere is not called open', async () => {
  await scene.reaches('yes', 'relay');
  await scene.on('router', 'ip', 'address', 'del', '11.2.0.2/24', 'dev', 'uplink');
  await scene.on('router', 'ip', 'address', 'add', '11.2.0.9/24', 'dev', 'uplink');
  await scene.on('router', 'ip', 'route', 'replace', 'default', 'via', '11.2.0.1');
  // Nothing changes at home itself; the connection that the relay holds breaks.
  const now = [by('relay', '11.2.0.9'), by('stun', '11.2.0.9')];
  await expect.poll(async () => (await ask()).addresses, { timeout: 55_000 }).toEqual(now);
  expect((await scene.owner.type('events')).stdout).toContain(
    'this home is at 11.2.0.9 (relay), 11.2.0.9 (stun)',
  );
  await scene.visitNow();
  await scene.reaches('unknown', 'relay');
  expect(await scene.detail()).toContain('sees this gateway at 11.2.0.9, but devices dial 11.2.0.2:51820');
}, 60_000);
