import { afterAll, beforeAll, expect, it } from 'vitest';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';

/** As mapping.test.ts, behind a router that speaks UPnP alone. */
const signal = AbortSignal.timeout(120_000);
let home: MappingHome;

beforeAll(async () => {
  home = await startMappingHome(['upnp'], signal);
}, 60_000);
afterAll(() => home?.lab.stop());

it('serves a phone through a port that the router opened by UPnP', async () => {
  expect(await home.enrol()).toContain('\nEndpoint = 11.2.0.2:51820\n');
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
  const { mappings, table } = await home.ports();
  expect(mappings).toMatchObject([{ state: 'held', protocol: 'upnp', router: '192.168.50.1' }]);
  expect(table).toMatchObject([{ externalPort: 51_820, internalAddress: '192.168.50.10', isOurs: true }]);
}, 60_000);

it('is served again after the router restarted and forgot', async () => {
  await home.lab.node('router').cut();
  await home.lab.boot('router', signal);
  expect(await home.served(60)).toBeLessThan(60);
  const { mappings } = await home.ports();
  expect(mappings).toMatchObject([{ state: 'held', protocol: 'upnp' }]);
}, 90_000);
