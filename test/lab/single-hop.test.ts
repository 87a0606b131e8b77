import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';

/** An onion that stops to hide where it is, seen by a visitor with a Tor client of their own. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home, a visitor, a private Tor network',
    nodes: {
      core: { kind: 'router' },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      home: { defaultRoute: '11.2.0.1' },
      visitor: { defaultRoute: '11.5.0.1' },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
      access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
    },
  },
  'single-hop',
);
const twin = '  twin: { port: 82, kind: http, expose: { tor: {} } }\n';
const HIDDEN = `services:
  shop: { port: 80, kind: http, expose: { tor: {} } }
${twin}`;
const SHOWN = `services:
  shop: { port: 80, kind: http, expose: { tor: { anonymity: single-hop } } }
${twin}  diary: { port: 81, kind: http, privacy: hide-home-address, expose: { tor: { anonymity: single-hop } } }
`;
const VISITS = 7;

let lab: Lab;
let gateway: LabGateway;
let visitor: TorVisitor;
const signal = AbortSignal.timeout(120_000);

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  visitor = await TorVisitor.start(lab, 'visitor');
  gateway = await LabGateway.prepare(lab, 'home', HIDDEN);
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 80);
  await gateway.runShop('twin', 82);
  await visitor.bootstrapped(signal);
}, 60_000);
afterAll(() => lab?.stop());

const wayOf = (status: Status, service: string) =>
  status.services.find(({ name }) => name === service)?.ways.find(({ provider }) => provider === 'tor');
const isUp = (service: string) => (status: Status) => wayOf(status, service)?.reachable === 'yes';
/** One service is refused, so it never ends with 0. */
const plan = async (): Promise<string> =>
  (await gateway.node.run(gateway.argv('plan'), { signal, accept: [0, 1, 2, 3] })).stdout;
const runOf = (instance: string): string => join(gateway.root, 'run', instance);
const pidOf = async (instance: string): Promise<string> =>
  (await readFile(join(runOf(instance), 'pid'), 'utf8')).trim();

let visits = 0;
const visit = async (url: string): Promise<string> => {
  const argv = visitor.curl(url, `visit${(visits += 1)}`, '--max-time', '15');
  return (await visitor.node.run(argv, { signal })).stdout;
};
/** A client that still holds the descriptor of another process may wait in vain; a visitor reloads. */
const open = (url: string): Promise<string> =>
  visit(url)
    .catch(() => visit(url))
    .catch(() => visit(url));
/** Median of the time to the first page on a circuit of its own; each visit meets the service anew. */
async function medianMs(url: string): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < VISITS; index += 1) {
    const begun = performance.now();
    expect(await open(url)).toContain('The corner shop');
    times.push(performance.now() - begun);
  }
  return Math.round(times.toSorted((a, b) => a - b)[(VISITS - 1) / 2] ?? 0);
}

it('keeps its address, moves to a process without a SOCKS port, and says that it does not hide', async () => {
  // Before anybody has visited it: clients that know the introduction points of before try them first.
  const url = wayOf(await gateway.status(signal), 'shop')?.address ?? '';
  const hidingPid = await pidOf('tor');
  await writeFile(join(gateway.root, 'etc/gateway.yaml'), SHOWN);
  expect(await plan()).toContain('where it is, is not hidden');
  await gateway.node.run(gateway.argv('up'), { signal, timeoutMs: 60_000, accept: [0, 1, 2, 3] });
  const areUp = (now: Status): boolean => isUp('shop')(now) && isUp('twin')(now);
  const status = await gateway.until('both proved', areUp, signal);
  expect(wayOf(status, 'shop')?.address).toBe(url);
  expect(await open(url)).toContain('The corner shop');

  expect(await pidOf('single-hop')).not.toBe(hidingPid);
  expect(await pidOf('tor')).toBe(hidingPid);
  expect(await readdir(runOf('tor'))).toContain('socks.sock');
  expect(await readdir(runOf('single-hop'))).not.toContain('socks.sock');
  const [hiddenMs, shownMs] = [await medianMs(wayOf(status, 'twin')?.address ?? ''), await medianMs(url)];
  process.stdout.write(`first page, median of ${VISITS}: ${hiddenMs} ms hidden, ${shownMs} ms single-hop\n`);
}, 60_000);

it('is refused to a service that must not show where the home is', async () => {
  expect(await plan()).toMatch(/PrivacyForbids.*diary has privacy hide-home-address and gets no onion/);
  const status = await gateway.status(signal);
  expect(wayOf(status, 'diary')?.address ?? null).toBeNull();
  expect(await readdir(join(gateway.root, 'lib/single-hop/onions'))).not.toContain('diary');
  expect(await readdir(join(gateway.root, 'lib/tor/onions'))).not.toContain('diary');
}, 20_000);
