import { afterAll, beforeAll, expect, it } from 'vitest';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';

/** A phone outside uses WireGuard through a port that the router opened when it was asked; nobody forwarded anything. */
const signal = AbortSignal.timeout(120_000);
let home: MappingHome;

beforeAll(async () => {
  home = await startMappingHome(['pcp', 'nat-pmp'], signal);
}, 60_000);
afterAll(() => home?.lab.stop());

it('serves a phone whose code carries the address outside and the port that the router gave', async () => {
  expect(await home.enrol()).toContain('\nEndpoint = 11.2.0.2:51820\n');
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
}, 60_000);
