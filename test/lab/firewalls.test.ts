import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  capture,
  EXIT,
  HOST,
  ROUTER,
  startIsolation,
  WEB,
  type Isolation,
} from '../support/isolation-lab.ts';

/** What other firewalls of the home's machine do to the ways in and out. */
let world: Isolation;
const signal = AbortSignal.timeout(280_000);
beforeAll(async () => {
  world = await startIsolation(signal);
}, 60_000);
afterAll(() => world?.lab.stop());

const nft = (rules: string): Promise<string> => world.within(undefined, 'nft', rules);
const out = {
  hidden: (): Promise<string> => world.fetch('hidden', `http://${WEB}/`, '--max-time', '2'),
  open: (): Promise<string> => world.fetch('open', `http://${WEB}/`, '--max-time', '2'),
};
/** As tor comes in: by the host's end of the hub's link. */
const wayIn = async (): Promise<string> =>
  world.within(
    undefined,
    ...(['curl', '-sS', '--http0.9', '--max-time', '2', '--interface', '10.64.0.3'] as const),
    `http://${world.addresses['open'] ?? ''}/`,
  );
const isWhole = async (): Promise<boolean> => {
  const [hidden, open, inward] = await Promise.all([out.hidden(), out.open(), wayIn()]);
  return hidden.includes(EXIT) && open.includes(ROUTER) && inward === 'open';
};
/** Milliseconds until something of ours that was away works again; 0 when it was not. */
const outage = async (look: () => Promise<boolean>): Promise<number> => {
  const from = Date.now();
  for (let tries = 0; ; tries += 1) {
    const begun = Date.now();
    if (await look()) return tries === 0 ? 0 : begun - from;
    if (Date.now() - from > 20_000) return Infinity;
    await sleep(20);
  }
};
const isRedirected = async (): Promise<boolean> =>
  (await world.within(undefined, 'nft', 'list', 'tables')).includes('inet gateway-gw');

/** What the status says of other firewalls. */
const warnings = async (): Promise<string[]> =>
  (await world.gateway.status(signal)).notices.filter((notice) => notice.includes('firewall'));

it('stands before anybody interferes', async () => {
  await expect.poll(isWhole, { timeout: 30_000 }).toBe(true);
  expect(await warnings()).toEqual([]);
}, 40_000);

it('is back within a second of a flush, in which nothing opens', async () => {
  const stop = await capture(world.home, 'lan');
  const seen: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    await nft('flush ruleset');
    const tries = [
      out.hidden(),
      world.scan('hidden', [`udp:11.4.0.53:53`]),
      world.scan('mute', [`tcp:${HOST}:8081`]),
    ];
    seen.push(await outage(isRedirected));
    const [, ...scans] = await Promise.all(tries);
    expect(scans).toEqual([[], []]);
    expect(await wayIn()).toBe('open');
  }
  console.log(`rules were back after ${seen.join(', ')} ms`);
  expect(Math.max(...seen)).toBeLessThan(1000);
  await expect.poll(isWhole, { timeout: 10_000 }).toBe(true);
  const { packets } = await stop();
  const hiddenOnes = packets.filter(
    ({ source }) => source === world.addresses['hidden'] || source === world.addresses['mute'],
  );
  expect(hiddenOnes).toEqual([]);
}, 60_000);

it('does not mind another firewall that loads itself anew', async () => {
  const others =
    'table inet firewalld { chain in { type filter hook input priority 10; policy accept; ct state established accept; }; chain pre { type nat hook prerouting priority dstnat; }; };';
  const looks = (async () => {
    const misses: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      if (!(await isWhole())) misses.push(`round ${round}`);
    }
    return misses;
  })();
  for (let round = 0; round < 10; round += 1) {
    await nft(others);
    await sleep(50);
    await nft('delete table inet firewalld');
  }
  expect(await looks).toEqual([]);
}, 60_000);

it('keeps every way in, and the way out through tor, under a firewall that forwards nothing (Docker)', async () => {
  await world.within(undefined, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await nft(
    'table ip filter { chain DOCKER-USER { }; chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }; };',
  );
  expect(await wayIn()).toBe('open');
  expect(await out.hidden()).toContain(EXIT);
  // A service that leaves directly is forwarded by this machine, so its firewall must allow that.
  expect(await warnings()).toEqual([]);
  expect(await out.open()).toBe('');
  const warning = [
    'another firewall of this machine drops what open sends, or the answers; to let it through: iptables -I DOCKER-USER -i gwout -j ACCEPT; iptables -I DOCKER-USER -o gwout -j ACCEPT',
  ];
  expect(await warnings()).toEqual(warning);
  await nft('add rule ip filter DOCKER-USER iifname gwout accept');
  expect(await out.open()).toBe('');
  expect(await warnings()).toEqual(warning);
  await nft('add rule ip filter DOCKER-USER oifname gwout accept');
  expect(await out.open()).toContain(ROUTER);
  expect(await warnings()).toEqual([]);
  // A machine that forwards for everybody forwards nothing from the hub, whatever is flushed.
  const stop = await capture(world.home, 'lan');
  await nft('delete table inet gateway-gw');
  await out.hidden();
  const { packets } = await stop();
  expect(packets.filter(({ source }) => source === world.addresses['hidden'])).toEqual([]);
  await nft('delete table ip filter');
  await expect.poll(isWhole, { timeout: 10_000 }).toBe(true);
}, 40_000);

it('keeps the ways in under a firewall that lets nothing in (ufw), and tor as the way out once it may', async () => {
  await nft(
    'table ip ufw { chain ufw-before-input { }; chain INPUT { type filter hook input priority filter; policy drop; iifname lo accept; ct state established,related accept; }; };',
  );
  expect(await wayIn()).toBe('open');
  expect(await out.open()).toContain(ROUTER);
  expect(await out.hidden()).toBe('');
  expect((await warnings()).join()).toMatch(/drops what hidden sends.*: ufw allow in on gwhost$/);
  await nft('add rule ip ufw INPUT iifname gwhost accept');
  expect(await out.hidden()).toContain(EXIT);
  expect(await warnings()).toEqual([]);
  await nft('delete table ip ufw');
}, 40_000);
