import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Desired } from '../../src/core/desired.ts';
import { NotifySettings, type Situation } from '../../src/core/notify.ts';
import type { Privacy } from '../../src/core/service.ts';
import { Notifier } from '../../src/daemon/notifier.ts';
import { Announced } from '../../src/system/announced.ts';
import { SocksServer } from '../support/socks-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const signal = AbortSignal.timeout(20_000);
const dark = (name: string) => ({
  name,
  isDark: true,
  isOpen: false,
  isFallback: false,
  way: 'tor',
  why: '',
});
let folder: string;
let web: Server;
let bodies: string[];
let answer: number;
let now: number;
let situation: Situation;
let recorded: string[];
let isDown: boolean;

beforeEach(async () => {
  folder = temporaryFolder();
  [bodies, recorded, answer, now, isDown] = [[], [], 200, 0, false];
  situation = {
    services: [],
    certificates: [],
    locked: [],
    lostRelays: [],
    unasked: [],
    address: undefined,
    hasTunnels: false,
  };
  web = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      bodies.push(request.method === 'GET' ? 'alive' : body.trim());
      response.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => web.listen(0, 'localhost', resolve));
});
afterEach(async () => {
  web.closeAllConnections();
  await new Promise((resolve) => web.close(resolve));
});

function notifier(privacy: Privacy = 'open', more: object = {}): Notifier {
  const url = `http://localhost:${(web.address() as AddressInfo).port}/topic`;
  const notify = NotifySettings.parse({ to: [{ by: 'ntfy', url }], ...more });
  return new Notifier({
    desired: () => ({ notify, services: [{ name: 'shop', privacy }] }) as unknown as Desired,
    situation: () => Promise.resolve(situation),
    announced: new Announced(join(folder, 'notified.json'), () => undefined),
    now: () => now,
    isDown: () => isDown,
    socksOf: (instance) => join(folder, instance),
    record: (type, message) => recorded.push(`${type} ${message}`),
  });
}

async function pass(watcher: Notifier, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    now += 1000;
    await watcher.settle(signal);
  }
}

it('gathers what begins together, tells it once, and that it is over', async () => {
  const watcher = notifier();
  situation = { ...situation, services: [dark('shop')] };
  await pass(watcher, 2);
  situation = { ...situation, services: [dark('shop'), dark('wiki')] };
  await pass(watcher, 120);
  expect(bodies).toEqual(['shop is down: no way in works\nwiki is down: no way in works']);
  situation = { ...situation, services: [dark('wiki')] };
  await pass(watcher, 10);
  expect(bodies.slice(1)).toEqual(['over: shop is down: no way in works']);
  expect(recorded[0]).toMatch(/^notice\.sent ntfy http:\/\/localhost:\d+ was told: shop is down/);
  // A restart tells nobody again what he knows.
  await pass(notifier(), 120);
  expect(bodies).toHaveLength(2);
});

it('says nothing of what came and went, and little of what flaps', async () => {
  const watcher = notifier();
  for (let round = 0; round < 60; round += 1) {
    situation = { ...situation, services: round % 2 === 0 ? [dark('shop')] : [] };
    await pass(watcher, 4);
  }
  expect(bodies).toEqual([]);
  for (let round = 0; round < 60; round += 1) {
    situation = { ...situation, services: round % 2 === 0 ? [dark('shop')] : [] };
    await pass(watcher, 10);
  }
  expect(bodies.length).toBeGreaterThan(2);
  expect(bodies.length).toBeLessThanOrEqual(11);
});

it('tries again until it is taken, and says meanwhile that nobody was told', async () => {
  const watcher = notifier();
  answer = 503;
  situation = { ...situation, lostRelays: ['vps'] };
  await pass(watcher, 30);
  expect(bodies.length).toBeLessThan(7);
  expect(watcher.remarks()).toEqual([
    expect.stringMatching(
      /^ntfy http:\/\/localhost:\d+ was not told what is wrong: localhost:\d+ answered 503/,
    ),
  ]);
  answer = 200;
  await pass(watcher, 61);
  expect(watcher.remarks()).toEqual([]);
});

it('tests everybody, and says who did not take it', async () => {
  expect(await notifier().test(signal)).toEqual([
    { receiver: expect.stringMatching(/^ntfy http:\/\/localhost:\d+$/), trouble: null },
  ]);
  expect(bodies).toEqual(['this is only a test: nothing is wrong']);
  answer = 401;
  expect(await notifier().test(signal)).toMatchObject([{ trouble: expect.stringContaining('answered 401') }]);
});

it('says nothing while the owner has it down', async () => {
  isDown = true;
  situation = { ...situation, services: [dark('shop')] };
  await pass(notifier('open', { alive: 'http://localhost:1/' }), 100);
  expect(bodies).toEqual([]);
});

it('calls outward while it runs, seldom', async () => {
  const alive = `http://localhost:${(web.address() as AddressInfo).port}/id`;
  await pass(notifier('open', { alive, to: [] }), 601);
  expect(bodies).toEqual(['alive', 'alive', 'alive']);
});

it('goes through the tor of tor-only services where there is one', async () => {
  const socks = await SocksServer.start(join(folder, 'tor-only'), () => (web.address() as AddressInfo).port);
  situation = { ...situation, services: [dark('shop')] };
  await pass(notifier('tor-only'), 10);
  expect([socks.asked.length, bodies.length]).toEqual([1, 1]);
  await socks.stop();
});
