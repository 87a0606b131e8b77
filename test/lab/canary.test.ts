import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CanaryReport } from '../../src/core/canary.ts';
import { EXITS_NETWORK } from '../support/exits-lab.ts';
import { mappingTopology, startMappingHome, type MappingHome } from '../support/mapping-lab.ts';

/** Nobody outside can try a UDP port: no relay, no device yet. Tor exits try whether its router forwards at all. */
const signal = AbortSignal.timeout(400_000);
let home: MappingHome;

beforeAll(async () => {
  const topology = mappingTopology(['nat-pmp', 'upnp'], EXITS_NETWORK);
  home = await startMappingHome([], signal, () => Promise.resolve(), topology);
  // Nothing runs a tor yet; a service that is exposed through it does.
  expect((await home.ports()).canary).toBeNull();
  await home.owner.type('service', 'add', 'blog', '--port', '8080', '--kind', 'http');
}, 90_000);
afterAll(() => home?.lab.stop());

async function tried(verdict: CanaryReport['reachable']): Promise<void> {
  const look = async () => (await home.ports()).canary;
  await expect.poll(look, { timeout: 120_000, interval: 300 }).toMatchObject({ reachable: verdict });
}

it('says that the router forwards, not that the UDP port is open, and takes the TCP port away again', async () => {
  await tried('yes');
  const { stdout } = await home.owner.type('ports');
  expect(stdout).toMatch(
    /the router 192\.168\.50\.1 does forward from outside: .*carried by \d Tor exits; whether UDP gets in, the first device will show/,
  );
  expect(stdout).toMatch(/UDP 51820 +held .* not yet\n/);
  const { table } = await home.ports();
  expect(table?.map(({ transport }) => transport) ?? []).not.toContain('tcp');
}, 150_000);

it('tells the owner when nothing comes in although the router says that it opens ports', async () => {
  const block = 'table ip shut {\n  chain forward { type filter hook forward priority -5; }\n}\n';
  const rule =
    'add rule ip shut forward iifname uplink ct state new meta l4proto tcp reject with tcp reset\n';
  await home.lab.node('router').run(['nft', '-f', '-'], { signal, input: `${block}${rule}` });
  const [pid = ''] = await home.owner.pidsOf('main.js daemon');
  await home.owner.home('kill', '-9', pid);
  await home.owner.type('up');
  await tried('no');
  const { stdout } = await home.owner.type('status');
  expect(stdout).toContain('says that it opens ports, but nothing comes in');
}, 150_000);
