import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../src/core/status.ts';
import { TorLab } from '../support/tor-lab.ts';

/** An onion that stops to hide where it is, seen by a visitor with a Tor client of their own. */
const twin = '  twin: { port: 82, kind: http, expose: { tor: {} } }\n';
const HIDDEN = `services:
  shop: { port: 80, kind: http, expose: { tor: {} } }
${twin}`;
const SHOWN = `services:
  shop: { port: 80, kind: http, expose: { tor: { anonymity: single-hop } } }
${twin}  diary: { port: 81, kind: http, privacy: hide-home-address, expose: { tor: { anonymity: single-hop } } }
`;
const VISITS = 7;

let tor: TorLab;
const signal = AbortSignal.timeout(120_000);

beforeAll(async () => {
  tor = await TorLab.start({ name: 'single-hop', config: HIDDEN, shops: { shop: 80, twin: 82 }, signal });
}, 60_000);
afterAll(() => tor?.lab.stop());

/** One service is refused, so it never ends with 0. */
const plan = async (): Promise<string> =>
  (await tor.gateway.node.run(tor.gateway.argv('plan'), { signal, accept: [0, 1, 2, 3] })).stdout;
const runOf = (instance: string): string => join(tor.gateway.root, 'run', instance);
/** Median of the time to the first page on a circuit of its own; each visit meets the service anew. */
async function medianMs(url: string): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < VISITS; index += 1) {
    const begun = performance.now();
    expect(await tor.open(url)).toContain('The corner shop');
    times.push(performance.now() - begun);
  }
  return Math.round(times.toSorted((a, b) => a - b)[(VISITS - 1) / 2] ?? 0);
}

it('keeps its address, moves to a process without a SOCKS port, and says that it does not hide', async () => {
  // Before anybody has visited it: clients that know the introduction points of before try them first.
  const url = tor.way(await tor.gateway.status(signal), 'shop')?.address ?? '';
  const hidingPid = await tor.pidOf('tor');
  await writeFile(join(tor.gateway.root, 'etc/gateway.yaml'), SHOWN);
  expect(await plan()).toContain('where it is, is not hidden');
  await tor.gateway.node.run(tor.gateway.argv('up'), { signal, timeoutMs: 60_000, accept: [0, 1, 2, 3] });
  const areUp = (now: Status): boolean => tor.isUp('shop')(now) && tor.isUp('twin')(now);
  const status = await tor.gateway.until('both proved', areUp, signal);
  expect(tor.way(status, 'shop')?.address).toBe(url);
  expect(await tor.open(url)).toContain('The corner shop');

  expect(await tor.pidOf('single-hop')).not.toBe(hidingPid);
  expect(await tor.pidOf('tor')).toBe(hidingPid);
  expect(await readdir(runOf('tor'))).toContain('socks.sock');
  expect(await readdir(runOf('single-hop'))).not.toContain('socks.sock');
  const [hiddenMs, shownMs] = [await medianMs(tor.way(status, 'twin')?.address ?? ''), await medianMs(url)];
  process.stdout.write(`first page, median of ${VISITS}: ${hiddenMs} ms hidden, ${shownMs} ms single-hop\n`);
}, 60_000);

it('is refused to a service that must not show where the home is', async () => {
  expect(await plan()).toMatch(/PrivacyForbids.*diary has privacy hide-home-address and gets no onion/);
  const status = await tor.gateway.status(signal);
  expect(tor.way(status, 'diary')?.address ?? null).toBeNull();
  expect(await readdir(join(tor.gateway.root, 'lib/single-hop/onions'))).not.toContain('diary');
  expect(await readdir(join(tor.gateway.root, 'lib/tor/onions'))).not.toContain('diary');
}, 20_000);
