import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WALK_PORT, type RelayWalked, type WalkSend } from '../../src/core/relay-walk.ts';
import { Walks } from '../../src/relay/walks.ts';
import { encodeWalk, parseWalk } from '../../src/wire/walk.ts';

const RELAY = '127.41.0.1';
const OTHER = '127.41.0.2';
const HOME = '127.41.0.3';
const STRANGER = '127.41.0.4';
const asker = { source: HOME, contacted: RELAY };

let stop: AbortController;
let walks: Walks;
const sockets: Socket[] = [];

beforeEach(async () => {
  stop = new AbortController();
  const opened = await Walks.open({
    addresses: [RELAY, OTHER],
    stunPort: 3478,
    now: Date.now,
    log: () => undefined,
    signal: stop.signal,
  });
  if (opened === undefined) throw new Error(`UDP port ${WALK_PORT} is taken`);
  walks = opened;
});
afterEach(() => {
  stop.abort();
  for (const socket of sockets.splice(0)) socket.close();
});

function begun(): RelayWalked {
  const answer = walks.answer('home', { sends: [] }, asker);
  if (typeof answer !== 'object') throw new Error(`it answered ${String(answer)}`);
  return answer;
}

function ask(session: string, ...sends: WalkSend[]) {
  return walks.answer('home', { session, sends }, asker);
}

/** A socket on an address, and what came to it: `kind from address`. */
async function socketAt(address: string): Promise<{ socket: Socket; came: string[] }> {
  const socket = createSocket('udp4');
  const came: string[] = [];
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  socket.on('message', (bytes, from) => came.push(`${parseWalk(bytes)?.kind} from ${from.address}`));
  return { socket, came };
}

async function say(socket: Socket, session: string, to = RELAY): Promise<void> {
  const packet = encodeWalk({ session, flow: 7, kind: 'refresh' });
  await new Promise<void>((resolve) => socket.send(packet, WALK_PORT, to, () => resolve()));
  await sleep(30);
}

it('sends to where a flow comes from, from the address that was asked or the other, and answers nothing by itself', async () => {
  const { socket, came } = await socketAt(HOME);
  const { session, other } = begun();
  expect(other).toBe(OTHER);
  await say(socket, session);
  expect(came).toEqual([]);
  expect(ask(session)).toMatchObject({ heard: [[7, socket.address().port]] });
  ask(session, [7, 64, 'refresh'], [7, 64, 'probe'], [7, 64, 'open']);
  await expect
    .poll(() => came.toSorted())
    .toEqual([`open from ${OTHER}`, `probe from ${RELAY}`, `refresh from ${RELAY}`]);
});

it.each([
  ['comes from another address than the one that asked', STRANGER, RELAY, (session: string) => session],
  ['has a session that is none', HOME, RELAY, () => '0'.repeat(32)],
  ['comes to the other address', HOME, OTHER, (session: string) => session],
])('hears nothing of a flow that %s', async (_what, from, to, sessionOf) => {
  const { socket, came } = await socketAt(from);
  const { session } = begun();
  await say(socket, sessionOf(session), to);
  expect(ask(session, [7, 64, 'probe'])).toMatchObject({ heard: [] });
  await sleep(50);
  expect(came).toEqual([]);
});

it('knows one session of a home at a time, and only from the address that began it', () => {
  const first = begun();
  const second = begun();
  expect(ask(first.session)).toBeUndefined();
  expect(ask(second.session)).toBeDefined();
  const elsewhere = { source: STRANGER, contacted: RELAY };
  expect(walks.answer('home', { session: second.session, sends: [] }, elsewhere)).toBeUndefined();
  expect(walks.answer('neighbour', { session: second.session, sends: [] }, asker)).toBeUndefined();
  expect(walks.answer('home', { sends: [] }, { source: '2001:db8::1', contacted: RELAY })).toBeUndefined();
});

it('sends no more than an examination needs', () => {
  const { session } = begun();
  const many = Array.from({ length: 60 }, (): WalkSend => [7, 64, 'probe']);
  const answers = Array.from({ length: 8 }, () => ask(session, ...many));
  expect(answers).toContain('busy');
});
