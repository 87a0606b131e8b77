import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JournalEvent } from '../../src/core/events.ts';
import type { PortsReport } from '../../src/core/mapper.ts';
import { DOMAIN, PageLab } from '../support/page-lab.ts';

/** From one command to a page that a visitor elsewhere trusts, with no other step; and everything that may happen to it. */
const signal = AbortSignal.timeout(170_000);
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal);
}, 90_000);
afterAll(() => scene?.lab.stop());

it('one command puts the shop on a page that a visitor elsewhere trusts', async () => {
  expect(await scene.lookup()).toBe('');
  const { exitCode, stdout, stderr } = await scene.expose();
  expect([exitCode, stdout, stderr]).toEqual([0, expect.anything(), expect.anything()]);
  expect(stdout).toContain(
    `https://${DOMAIN} is open: a TLS handshake with our certificate through 11.2.0.2:443`,
  );
  // At once: whoever is told that it is open may send the address to somebody.
  expect(await scene.open()).toContain('The corner shop');
  expect(await scene.lookup()).toBe('11.2.0.2');
  expect(await scene.way()).toMatchObject({ reachable: 'yes', vantage: 'relay', phase: 'up' });
  // It was visited from outside: browsers are told to come by https alone, for a short time at first.
  const head = async (): Promise<string> =>
    (await scene.on('visitor', 'curl', '-ksSI', '--max-time', '5', `https://${DOMAIN}/`)).stdout;
  await expect.poll(head, { timeout: 10_000 }).toMatch(/^strict-transport-security: max-age=300\r$/im);
}, 120_000);

it('sends whoever comes without TLS to the page, and trusts no other authority', async () => {
  const { stdout } = await scene.on(
    'visitor',
    'curl',
    '-sSI',
    '--max-time',
    '5',
    `http://${DOMAIN}/cart?a=%2F`,
  );
  expect(stdout).toMatch(/^HTTP\/1\.1 308 /);
  expect(stdout).toContain(`location: https://${DOMAIN}/cart?a=%2F`);
  const { stdout: code } = await scene.on(
    'visitor',
    'dash',
    '-c',
    `curl -s --max-time 5 https://${DOMAIN}/; echo $?`,
  );
  expect(code.trim()).toBe('60');
}, 30_000);

it('keeps the page while daemon and helper are dead, and changes nothing when they are back', async () => {
  const { owner } = scene;
  for (const pattern of ['main.js .*daemon$', 'main.js .*helper$']) {
    for (const pid of await owner.pidsOf(pattern)) await owner.home('kill', '-9', pid);
  }
  expect(await scene.open()).toContain('The corner shop');
  const { changes } = await owner.json<{ changes: string[] }>('up');
  expect(changes).toEqual([]);
  expect(await scene.open()).toContain('The corner shop');
}, 60_000);

it('starts HAProxy anew when it ended, and when it hangs, and says so', async () => {
  const { owner } = scene;
  const healed = async (why: string): Promise<boolean> =>
    (await owner.json<JournalEvent[]>('events')).some(
      ({ type, message }) => type === 'change.healed' && message.endsWith(why),
    );
  for (const [signal, why] of [
    ['-KILL', 'HAProxy is not running'],
    ['-STOP', 'HAProxy does not answer'],
  ] as const) {
    const before = await owner.pidsOf('haproxy ');
    expect(before.length).toBeGreaterThan(0);
    await owner.home('kill', signal, ...before);
    // The next look may be half a minute away.
    await owner.type('up');
    await expect.poll(() => healed(why), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => scene.open(), { timeout: 20_000 }).toContain('The corner shop');
  }
}, 100_000);

it('gives HAProxy its certificate again when somebody deleted it', async () => {
  const file = scene.owner.file('lib', 'edge', 'certificates', `${DOMAIN}.pem`);
  await rm(file);
  await scene.demand('up');
  await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(true);
  expect(await scene.open()).toContain('The corner shop');
}, 60_000);

it('leaves nothing behind when the page is taken down', async () => {
  await scene.demand('unexpose', 'shop', '--via', 'clearnet', '--now');
  expect(await scene.open()).not.toContain('The corner shop');
  expect(await scene.lookup()).toBe('');
  const { mappings, table } = await scene.owner.json<PortsReport>('ports');
  expect(mappings).toEqual([]);
  expect(table?.filter(({ isOurs }) => isOurs)).toEqual([]);
  // HAProxy itself stays until the service is removed: what is open elsewhere may finish.
  const listening = await scene.owner.home('ss', '-Hltn');
  expect(listening).not.toMatch(/:(443|80) /);
  const { stdout } = await scene.on('visitor', 'kdig', '+short', `_acme-challenge.${DOMAIN}`, 'TXT');
  expect(stdout.trim()).toBe('');
}, 60_000);

it('gives a home without a domain a page at its address, as trusted', async () => {
  const { exitCode, stdout, stderr } = await scene.expose('shop', '11.2.0.2');
  expect([exitCode, stdout, stderr]).toEqual([0, expect.anything(), expect.anything()]);
  expect(stdout).toContain('https://11.2.0.2 is open: a TLS handshake with our certificate');
  expect(await scene.open('https://11.2.0.2/')).toContain('The corner shop');
}, 90_000);
