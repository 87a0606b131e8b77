import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXITS, ExitsLab, TCP_PORT, TLS_PORT } from '../support/exits-lab.ts';

/** Tor exits look whether a port of a home behind a router is open: strangers, of whom one or two may lie. */
const signal = AbortSignal.timeout(170_000);
let scene: ExitsLab;

beforeAll(async () => {
  scene = await ExitsLab.start(signal);
}, 150_000);
afterAll(() => scene?.lab.stop());

/** An exit that was lost on the way says nothing, and is asked again by whoever wants to know. */
async function decided(kind: 'tcp' | 'tls'): ReturnType<ExitsLab['probe']> {
  for (let tries = 1; ; tries += 1) {
    const report = await scene.probe(kind);
    if (report.reachable !== 'unknown' || tries === 4) return report;
  }
}

it('calls a port open that two different exits carried to us', async () => {
  await scene.forward(TCP_PORT, TLS_PORT);
  for (const kind of ['tcp', 'tls'] as const) {
    const { reachable, visits } = await decided(kind);
    expect(reachable).toBe('yes');
    const carried = visits.filter(({ outcome }) => outcome === 'carried').map(({ exit }) => exit);
    expect(new Set(carried).size).toBeGreaterThanOrEqual(2);
  }
}, 60_000);

it('calls a port closed that the router does not forward, because the same exits reach others', async () => {
  await scene.forward();
  expect(await decided('tcp')).toMatchObject({
    reachable: 'no',
    detail: expect.stringMatching(/^[23] Tor exits could not connect$/),
  });
}, 60_000);

it('is not misled by exits that answer themselves', async () => {
  await scene.forward(TCP_PORT, TLS_PORT);
  await scene.lie(...EXITS.slice(0, 1));
  expect(await decided('tls')).toMatchObject({ reachable: 'yes' });
  await scene.forward();
  for (const kind of ['tcp', 'tls'] as const) expect((await scene.probe(kind)).reachable).not.toBe('yes');
  await scene.forward(TCP_PORT, TLS_PORT);
  await scene.lie(...EXITS);
  for (const kind of ['tcp', 'tls'] as const) expect((await scene.probe(kind)).reachable).not.toBe('yes');
}, 90_000);

it('knows nothing while exits reach nobody, and while there is no Tor', async () => {
  await scene.lie();
  await scene.forward();
  await scene.lab.node('roots').run(['pkill', '-f', 'page-main'], { signal });
  expect(await scene.probe('tcp')).toMatchObject({ reachable: 'unknown' });
  await scene.lab.node('home').run(['pkill', 'tor'], { signal });
  expect(await scene.probe('tcp')).toMatchObject({
    reachable: 'unknown',
    detail: expect.stringContaining('no Tor exit could be asked: tor does not answer'),
  });
}, 90_000);
