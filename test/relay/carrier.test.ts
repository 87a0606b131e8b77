import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { RelayCarried, RelayTunnel } from '../../src/core/relay-carry.ts';
import { RelayAbout, RelayJoined } from '../../src/core/relay.ts';
import { askControl, ControlHome } from '../../src/relay/control.ts';
import { answerLines } from '../../src/relay/lines.ts';
import { runRelay, type RelayUp } from '../../src/relay/main.ts';
import { relayPlaces } from '../../src/relay/places.ts';
import { faultOf, type Holding, type RelayGround, RootQuestion } from '../../src/relay/state.ts';
import { askRelay } from '../../src/system/relay-client.ts';
import { parseInvite } from '../../src/wire/invite.ts';
import { makeKey } from '../support/relay-carry-lab.ts';

/**
 * The part of a relay that faces the network, as it is. In place of the part that is root stands one that needs no root: it
 * takes states as that does, and remembers them.
 */
const PORT = 20_000 + ((process.pid + 7919) % 20_000);
const ground: RelayGround = {
  publicKey: makeKey().publicKey,
  block: '10.127.16.0/20',
  wireguardPort: 51_820,
  tlsPort: 443,
  httpPort: 80,
  mtu: 1420,
};
const signal = AbortSignal.timeout(60_000);
let state: string;
let root: Server;
let sockets: Set<Socket>;
let applied: Holding[][];
let stop: AbortController;
let running: Promise<void>;

async function startFront(): Promise<RelayUp> {
  stop = new AbortController();
  const carries = relayPlaces(state);
  const where = { directory: carries.members, addresses: ['127.0.0.1'], port: PORT };
  return new Promise((resolve, reject) => {
    running = runRelay(
      { ...where, carries, version: '1', log: () => undefined, signal: stop.signal },
      resolve,
    );
    running.catch(reject);
  });
}

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'gw-relay-'));
  const { directories, front, rootSocket } = relayPlaces(state);
  await mkdir(front, { recursive: true });
  expect(directories.run).toBe(join(state, 'run'));
  applied = [];
  sockets = new Set();
  root = createServer((socket) => {
    sockets.add(socket);
    answerLines(socket, async (said) => {
      const question = RootQuestion.parse(said);
      if (question.ask === 'ground') return ground;
      if (question.ask !== 'apply') return [];
      if (question.holdings.some(({ names }) => names.includes('refused.test')))
        throw new Error('HAProxy ended');
      expect(faultOf(question.holdings, ground)).toBeUndefined();
      applied.push(question.holdings);
      return null;
    });
  });
  await new Promise<void>((resolve) => root.listen(rootSocket, resolve));
});
afterEach(async () => {
  stop.abort();
  await running.catch(() => undefined);
  root.close();
  await rm(state, { recursive: true });
});

async function joinAsHome(text?: string | null) {
  const invite = parseInvite(
    text ?? String(await askControl(relayPlaces(state).controlSocket, { ask: 'invite' })),
  );
  if (invite === undefined) throw new Error('no invite');
  const secret = randomBytes(32);
  const credential = createHash('sha256').update(secret).digest('base64url');
  const tunnel = { publicKey: makeKey().publicKey };
  const request = { ask: 'join', invite: invite.secret, credential, tunnel } as const;
  const joined = await askRelay(invite, request, RelayJoined, signal);
  const auth = { home: joined.home, secret: secret.toString('base64url') };
  return {
    ...joined,
    publicKey: tunnel.publicKey,
    carry: (names: string[], devices = false) =>
      askRelay(invite, { ask: 'carry', ...auth, carry: { names, ports: [], devices } }, RelayCarried, signal),
    rekey: (publicKey: string) =>
      askRelay(invite, { ask: 'rekey', ...auth, tunnel: { publicKey } }, RelayTunnel, signal),
    status: () => askRelay(invite, { ask: 'status', ...auth }, RelayAbout, signal),
    leave: () => askRelay(invite, { ask: 'leave', ...auth }, z.unknown(), signal),
  };
}

it('gives each home an address, and holds what was granted over a kill', async () => {
  const { invite } = await startFront();
  const first = await joinAsHome(invite);
  const second = await joinAsHome();
  expect(first.tunnel).toEqual({
    publicKey: ground.publicKey,
    endpoints: ['127.0.0.1:51820', '127.0.0.1:443'],
    address: '10.127.16.2',
    relayAddress: '10.127.16.1',
    mtu: 1420,
  });
  expect(second.tunnel?.address).toBe('10.127.16.3');
  expect((await first.carry(['pay.test'], true)).devicesPort).toBe(51_821);
  expect((await second.carry(['pay.test'])).names).toMatchObject([{ granted: false }]);
  expect(applied.at(-1)).toMatchObject([{ names: ['pay.test'] }, { names: [] }]);
  stop.abort();
  await running;
  applied = [];
  await startFront();
  // The first thing is the state of before.
  expect(applied[0]?.map(({ names, devicesPort }) => ({ names, devicesPort }))).toContainEqual({
    names: ['pay.test'],
    devicesPort: 51_821,
  });
  expect((await second.carry(['pay.test'])).names).toMatchObject([{ granted: false }]);
  expect((await first.carry(['pay.test'], true)).devicesPort).toBe(51_821);
});

it('changes a key, refuses another home its key, and forgets who leaves or is removed', async () => {
  const { invite } = await startFront();
  const first = await joinAsHome(invite);
  const second = await joinAsHome();
  await first.carry(['pay.test']);
  await expect(second.rekey(first.publicKey)).rejects.toThrow('another home of this relay has this key');
  await expect(second.rekey(ground.publicKey)).rejects.toThrow('another home of this relay has this key');
  const { publicKey } = makeKey();
  expect((await first.rekey(publicKey)).address).toBe('10.127.16.2');
  expect(applied.at(-1)).toContainEqual(expect.objectContaining({ publicKey, names: ['pay.test'] }));
  await first.leave();
  expect(applied.at(-1)?.map(({ home }) => home)).toEqual([second.home]);
  expect((await second.carry(['pay.test'])).names).toMatchObject([{ granted: true }]);
  const { controlSocket } = relayPlaces(state);
  const homes = ControlHome.array().parse(await askControl(controlSocket, { ask: 'homes' }));
  expect(homes).toMatchObject([{ home: second.home, carrying: { names: ['pay.test'] } }]);
  await askControl(controlSocket, { ask: 'remove', home: second.home });
  expect(applied.at(-1)).toEqual([]);
  await expect(second.status()).rejects.toThrow('not known here');
  await expect(askControl(controlSocket, { ask: 'remove', home: second.home })).rejects.toThrow('no home');
});

it('says nothing is granted when it could not be done, and grants it when it can', async () => {
  const { invite } = await startFront();
  const home = await joinAsHome(invite);
  await expect(home.carry(['refused.test'])).rejects.toThrow('see its log');
  expect((await home.carry(['good.test'])).names).toMatchObject([{ granted: true }]);
  expect((await home.status()).carrying).toMatchObject({ names: ['good.test'], handshakeAgeSeconds: null });
});

it('does no work for what is in effect, and lets no home keep it busy', async () => {
  const { invite } = await startFront();
  const home = await joinAsHome(invite);
  await home.carry(['a.test']);
  const before = applied.length;
  await home.carry(['a.test']);
  expect(applied.length).toBe(before);
  const refusals: string[] = [];
  for (let count = 0; count < 36; count += 1) {
    await home.carry([`a${count}.test`]).catch((error: Error) => refusals.push(error.message));
  }
  expect(refusals.length).toBeGreaterThan(0);
  expect(refusals.join()).toContain('too many questions');
  const other = await joinAsHome();
  expect((await other.carry(['b.test'])).names).toMatchObject([{ granted: true }]);
});

it('starts with nothing lost or invented when what a home holds is damaged', async () => {
  const { invite } = await startFront();
  const { home } = await joinAsHome(invite);
  stop.abort();
  await running;
  const file = join(relayPlaces(state).members, 'holdings', home);
  await writeFile(file, '{"home":');
  await expect(startFront()).rejects.toMatchObject({
    code: 'StateCorrupt',
    message: expect.stringContaining(file),
  });
  expect(await readdir(join(relayPlaces(state).members, 'homes'))).toEqual([home]);
  // It lets go of all that it had by then.
  for (const socket of sockets)
    await new Promise((resolve) => (socket.destroyed ? resolve(0) : socket.once('close', resolve)));
});

it('ends when the part that is root ends', async () => {
  await startFront();
  const ended = expect(running).rejects.toMatchObject({ code: 'HelperUnreachable' });
  for (const socket of sockets) socket.destroy();
  await ended;
});
