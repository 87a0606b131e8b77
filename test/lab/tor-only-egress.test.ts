import { appendFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TorInstance } from '../../src/core/tor-instance.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { capture, type Captured } from '../support/isolation-lab.ts';

/** Services that leave through Tor: those of privacy tor-only by a process that no other service uses. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home, a page elsewhere, a private Tor network',
    nodes: {
      core: { kind: 'router' },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      home: { defaultRoute: '11.2.0.1' },
      web: { defaultRoute: '11.6.0.1', services: [{ type: 'page', port: 80, title: 'a page elsewhere' }] },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
      site: { core: '11.6.0.1/24', web: '11.6.0.2/24' },
    },
  },
  'tor-only-egress',
);
const [HOME, EXIT, WEB] = ['11.2.0.2', '11.9.0.14', '11.6.0.2'];
const CONFIG = `services:
  shop: { port: 80, kind: http, egress: tor, expose: {} }
  diary: { port: 81, kind: http, privacy: tor-only, egress: tor, expose: {} }
  notes: { port: 82, kind: http, privacy: tor-only, egress: tor, expose: {} }
`;

let lab: Lab;
let gateway: LabGateway;
const signal = AbortSignal.timeout(120_000);

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await gateway.command(signal, 'up');
}, 60_000);
afterAll(() => lab?.stop());

const fetch = async (service: string, url: string, seconds = 5): Promise<string> => {
  const curl = ['curl', '-sS', '--max-time', String(seconds), url] as const;
  const argv = gateway.argv('service', 'run', service, '--', ...curl);
  return (await gateway.node.run(argv, { signal, accept: [0, 6, 7, 28, 52, 56] })).stdout;
};
const fetchSoon = (service: string): Promise<void> =>
  expect.poll(() => fetch(service, `http://${WEB}/`), { timeout: 40_000 }).toContain(`you are ${EXIT}`);

/** Which circuits of one of our tors carried a stream to `target` that is over, in their order, as tor itself says. */
async function watchCircuits(instance: TorInstance, target: string) {
  const socket = connect(join(gateway.root, 'run', instance, 'control.sock'));
  socket.setEncoding('latin1').write('AUTHENTICATE\r\nSETEVENTS STREAM\r\n');
  let said = '';
  socket.on('data', (chunk: string) => (said += chunk));
  await expect.poll(() => said).toMatch(/^250 OK\r\n250 OK\r\n/);
  return {
    circuits: () =>
      [...said.matchAll(/650 STREAM \d+ CLOSED (\d+) (\S+)/g)].flatMap(([, circuit, to]) =>
        to === target ? [circuit] : [],
      ),
    close: () => socket.destroy(),
  };
}

/** Packets that are not between this home's tor and its network. */
function strays({ packets }: Captured): Captured['packets'] {
  const isOfTor = (address: string): boolean => address === HOME || address.startsWith('11.9.0.');
  return packets.filter(
    ({ source, destination, isOfLink }) => !isOfLink && !(isOfTor(source) && isOfTor(destination)),
  );
}

it('lets tor-only services out by their own tor, each on circuits of its own, and nothing else on the wire', async () => {
  await Promise.all(['shop', 'diary', 'notes'].map((service) => fetchSoon(service)));
  const stop = await capture(gateway.node, 'uplink');
  const [shared, own] = await Promise.all(
    (['tor', 'tor-only'] as const).map((instance) => watchCircuits(instance, `${WEB}:80`)),
  );
  for (const service of ['diary', 'diary', 'notes']) {
    expect(await fetch(service, `http://${WEB}/secret`)).toContain(`you are ${EXIT}`);
  }
  await fetch('diary', 'http://nowhere.test/', 3);
  await expect.poll(() => own?.circuits().length).toBe(3);
  expect(shared?.circuits()).toEqual([]);
  const [first, again, other] = own?.circuits() ?? [];
  expect(again).toBe(first);
  expect(other).not.toBe(first);
  expect(await fetch('shop', `http://${WEB}/`)).toContain(`you are ${EXIT}`);
  await expect.poll(() => shared?.circuits().length).toBe(1);
  expect(own?.circuits()).toHaveLength(3);
  shared?.close();
  own?.close();
  const seen = await stop();
  expect(seen.packets.length).toBeGreaterThan(20);
  expect(strays(seen)).toEqual([]);
  expect(['secret', 'nowhere'].filter((text) => seen.contains(text))).toEqual([]);
}, 60_000);

it('never lets them out by the other tor while theirs is away', async () => {
  const { node, root } = gateway;
  const shared = await watchCircuits('tor', `${WEB}:80`);
  const pid = (await node.run(['cat', join(root, 'run/tor-only/pid')], { signal })).stdout.trim();
  await node.run(['kill', '-KILL', pid], { signal });
  await fetch('diary', `http://${WEB}/`, 2);
  await fetchSoon('diary');
  expect(shared.circuits()).toEqual([]);
  shared.close();
}, 60_000);

it('calls outward for its owner by that tor too, as long as it has a tor-only service', async () => {
  const [shared, own] = await Promise.all(
    (['tor', 'tor-only'] as const).map((instance) => watchCircuits(instance, `${WEB}:80`)),
  );
  const stop = await capture(gateway.node, 'uplink');
  await appendFile(join(gateway.root, 'etc', 'gateway.yaml'), `notify: { alive: "http://${WEB}/alive" }\n`);
  await gateway.command(signal, 'up');
  await expect.poll(() => own?.circuits().length, { timeout: 20_000 }).toBe(1);
  expect(shared?.circuits()).toEqual([]);
  shared?.close();
  own?.close();
  const seen = await stop();
  expect(strays(seen)).toEqual([]);
  expect(seen.contains('alive')).toBe(false);
}, 60_000);
