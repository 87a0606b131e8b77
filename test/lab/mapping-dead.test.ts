import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../src/core/status.ts';
import { type Lab } from '../../src/lab/index.ts';
import { mappingTopology, startMappingHome, type MappingHome } from '../support/mapping-lab.ts';
import { wayOf } from '../support/owner.ts';
import { joinProbeRelay } from '../support/probe-relay.ts';

/** A router that lists the port and forwards nothing: only a visit from outside tells, and what follows is bounded. */
const signal = AbortSignal.timeout(120_000);
const topology = mappingTopology(['upnp'], {
  nodes: { vps: { defaultRoute: '11.1.0.1' } },
  networks: { hosting: { core: '11.1.0.1/24', vps: ['11.1.0.2/24', '11.1.0.3/24'] } },
});
let home: MappingHome;
let visits = 0;

beforeAll(async () => {
  // It says at once that it speaks UPnP alone: nobody waits for the rest.
  const ready = async (lab: Lab): Promise<void> => {
    await lab.node('router').run(['nft', 'flush', 'chain', 'inet', 'only', 'input'], { signal });
  };
  home = await startMappingHome([], signal, ready, topology);
  // What no mapping let in stays out, as on any router that does more than to translate.
  await nft('add rule inet upnp forward ct state established,related accept');
  await nft('add rule inet upnp forward iifname "uplink" drop');
  await joinProbeRelay(home.lab, home.owner, ['11.1.0.2', '11.1.0.3'], signal);
}, 60_000);
afterAll(() => home?.lab.stop());

const nft = async (command: string): Promise<string> =>
  (await home.lab.node('router').run(['nft', ...command.split(' ')], { signal })).stdout;
const events = async (): Promise<string> => (await home.owner.type('events')).stdout;
const reaches = (what: string): Promise<Status> =>
  home.owner.until(`it is reachable: ${what}`, (status) => {
    const way = wayOf(status, 'shop', 'wireguard');
    return way?.reachable === what && way.vantage === 'relay';
  });
/** Any change of the world has every way visited again at once. */
const visitNow = async (): Promise<void> => {
  visits += 1;
  await home.owner.type('device', 'add', `visit-${visits}`, '--service', 'shop', '--no-wait');
};

it('deletes a mapping that lets nobody in, and asks for the same again', async () => {
  await visitNow();
  await reaches('yes');
  await nft('flush chain inet upnp miniupnpd');
  expect((await home.ports()).table).toMatchObject([{ externalPort: 51_820, isOurs: true }]);
  await visitNow();
  await expect.poll(events, { timeout: 20_000 }).toMatch(/mapping\.healed .*UDP 51820/);
  expect(await events()).toMatch(
    /mapping\.dead .*lists UDP 51820 at port 51820, but nothing comes through: a relay outside got no answer from UDP 11\.2\.0\.2:51820; it is deleted and asked for again/,
  );
  expect(await home.ports()).toMatchObject({ mappings: [{ state: 'held', externalPort: 51_820 }] });
  expect(await home.enrol()).toContain('\nEndpoint = 11.2.0.2:51820\n');
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
  // A device that is in is proof enough: no relay is asked while it is.
  await home.owner.type('device', 'revoke', 'phone');
  await home.phone.leave(signal);
}, 60_000);

it('goes to another port where this one stays shut, and says who is stranded', async () => {
  await nft('add chain inet upnp early { type filter hook prerouting priority -300 ; }');
  await nft('add rule inet upnp early iifname "uplink" udp dport 51820 drop');
  await visitNow();
  await expect.poll(events, { timeout: 25_000 }).toMatch(/mapping\.moved /);
  await expect.poll(events, { timeout: 15_000 }).toMatch(/mapping\.healed (?:.|\n)*mapping\.healed /);
  const said = await events();
  const moved = /mapping\.moved .*UDP 51820 is at port (\d+) outside now, no longer at 51820/.exec(said);
  expect(said).toContain('it is deleted and asked for at another port outside');
  const port = Number(moved?.[1]);
  const { mappings, table } = await home.ports();
  expect(mappings).toMatchObject([{ state: 'held', externalPort: port }]);
  expect(table).toMatchObject([{ externalPort: port, isOurs: true }]);
  const status = await home.owner.gateway.status(signal);
  expect(wayOf(status, 'shop', 'wireguard')).toMatchObject({ reachable: 'yes', vantage: 'relay' });
  expect(status.notices.join()).toContain('devices that were given 51820 do not get in');
  expect(await home.enrol()).toContain(`\nEndpoint = 11.2.0.2:${port}\n`);
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
  await home.owner.type('device', 'revoke', 'phone');
}, 60_000);

it('does nothing while nobody outside can say that it is shut', async () => {
  const { externalPort } = (await home.ports()).mappings[0] ?? {};
  await home.lab.node('vps').run(['pkill', '-f', 'relay up'], { signal });
  await nft(`add rule inet upnp early iifname "uplink" udp dport ${externalPort} drop`);
  const before = (await events()).split('mapping.dead').length;
  await visitNow();
  await home.owner.until('it is not known', (status) => {
    return wayOf(status, 'shop', 'wireguard')?.reachable === 'unknown';
  });
  expect((await events()).split('mapping.dead')).toHaveLength(before);
}, 40_000);
