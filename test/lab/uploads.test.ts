import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolled } from '../../src/core/control.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { TorLab } from '../support/tor-lab.ts';

/** A Tor network that is away just when the descriptor of an onion is uploaded. */
const CONFIG = `services:
  shop: { port: 80, kind: http, expose: { tor: { authorization: required } } }
`;
const signal = AbortSignal.timeout(150_000);
let tor: TorLab;
let bob: TorVisitor;

beforeAll(async () => {
  // Otherwise tor gives up a connection to a directory after two minutes; it begins no other.
  const torrc = 'SocksTimeout 5\n';
  tor = await TorLab.start({ name: 'uploads', config: CONFIG, shops: { shop: 80 }, torrc, signal });
  const keys = join(tor.lab.node('visitor').directory, 'keys');
  await tor.gateway.until('the proof', tor.isUp('shop'), signal);
  await tor.signalRelays('STOP');
  await tor.gateway.json<Enrolled>(signal, 'device', 'add', 'bob', '--service', 'shop', '--onion-dir', keys);
  bob = await TorVisitor.start(tor.lab, 'visitor', { folder: 'bob', socksPort: 9051, clientKeys: keys });
}, 90_000);
afterAll(() => tor?.lab.stop());

const published = async () =>
  tor.way(await tor.gateway.status(signal), 'shop')?.conditions.find(({ type }) => type === 'Published');

it('says that it is not announced, announces it again, and says why', async () => {
  await sleep(8_000);
  expect(await published()).toMatchObject({
    status: 'unknown',
    message: expect.stringMatching(/^0 of \d+ uploads/),
  });
  await tor.signalRelays('CONT');
  await bob.bootstrapped(signal);
  const isIn = (): Promise<boolean> =>
    bob.open(`${address}/`, signal, 'bob', 10).then(
      (page) => page.includes('The corner shop'),
      () => false,
    );
  const address = await tor.addressOf('shop');
  await expect.poll(isIn, { timeout: 80_000, interval: 1000 }).toBe(true);
  // On a busy machine five seconds are too few for some of the directories: then it is not all said yet.
  const isFindable = async (): Promise<boolean> => (await published())?.status !== 'no';
  await expect.poll(isFindable, { timeout: 20_000, interval: 500 }).toBe(true);
  process.stdout.write(`published: ${JSON.stringify(await published())}\n`);
  const events = await tor.gateway.json<JournalEvent[]>(signal, 'events');
  expect(events.map(({ message }) => message).join('\n')).toMatch(
    /announce the onion service of shop again: 0 of/,
  );
}, 120_000);
