import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../src/core/status.ts';
import { wayOf } from '../support/owner.ts';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';

/** A phone outside uses WireGuard through a port that the router opened when it was asked; nobody forwarded anything. */
const signal = AbortSignal.timeout(170_000);
let home: MappingHome;

beforeAll(async () => {
  home = await startMappingHome(['pcp', 'nat-pmp'], signal);
}, 60_000);
afterAll(() => home?.lab.stop());

const router = (...argv: [string, ...string[]]): Promise<{ stdout: string }> =>
  home.lab.node('router').run(argv, { signal, accept: [0, 1] });
/** What miniupnpd has in the router's packet filter. */
const mapped = async (): Promise<string> =>
  (await router('nft', 'list', 'chain', 'inet', 'upnp', 'prerouting_miniupnpd')).stdout;
const events = async (): Promise<string> => (await home.owner.type('events')).stdout;

it('serves a phone whose code carries the address outside and the port that the router gave', async () => {
  expect(await home.enrol()).toContain('\nEndpoint = 11.2.0.2:51820\n');
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
  const isProved = (status: Status): boolean => wayOf(status, 'shop', 'wireguard')?.reachable === 'yes';
  await home.owner.until('the phone proved it', isProved);
  const said = await home.owner.type('ports');
  expect(said.exitCode).toBe(0);
  expect(said.stdout).toMatch(/UDP 51820 +held +11\.2\.0\.2:51820 +192\.168\.50\.1 +PCP +\d+ min +\d/);
  expect(await home.ports()).toMatchObject({
    mappings: [{ state: 'held', protocol: 'pcp', provedAt: expect.any(String) }],
    router: '192.168.50.1',
    table: null,
  });
}, 60_000);

it('is served again by the next daemon with the same lease, also after kill -9', async () => {
  const before = (await home.ports()).mappings[0];
  const [pid = ''] = await home.owner.pidsOf('main.js daemon');
  await home.owner.home('kill', '-9', pid);
  expect(await mapped()).toContain('51820');
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
  await home.owner.type('up');
  const after = (await home.ports()).mappings[0];
  expect(after).toMatchObject({ state: 'held', renewedAt: before?.renewedAt });
}, 30_000);

it('opens the port again when the router restarted and forgot it', async () => {
  await home.lab.node('router').cut();
  await home.lab.boot('router', signal);
  expect(await mapped()).not.toContain('51820');
  await home.served(75);
  expect(await events()).toMatch(/mapping\.lost .*UDP 51820 is not mapped any more/);
}, 100_000);

it('leaves nothing in the router when nothing is exposed, and when the gateway goes down', async () => {
  expect(await mapped()).toContain('51820');
  await home.owner.type('unexpose', 'shop', '--via', 'wireguard');
  await home.owner.type('device', 'revoke', 'phone');
  expect(await mapped()).not.toContain('51820');
  await home.owner.type('expose', 'shop', '--via', 'wireguard');
  expect(await mapped()).toContain('51820');
  expect((await home.owner.type('down')).exitCode).toBe(0);
  expect(await mapped()).not.toContain('51820');
}, 60_000);
