import { randomBytes, createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MAX_QUESTION_BYTES, RelayAbout, RelayDialled, RelayJoined } from '../../src/core/relay.ts';
import { makeInvite } from '../../src/relay/invites.ts';
import { runRelay, type RelayUp } from '../../src/relay/main.ts';
import { ensureIdentity } from '../../src/relay/identity.ts';
import { askRelay, holdRelay } from '../../src/system/relay-client.ts';
import { parseInvite } from '../../src/wire/invite.ts';

/** A relay on loopback, and whoever knocks. */
const PORT = 20_000 + (process.pid % 20_000);
const stop = new AbortController();
const signal = AbortSignal.timeout(60_000);
const logged: unknown[] = [];
let directory: string;
let up: RelayUp;
let running: Promise<void>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-relay-'));
  const options = { directory, addresses: ['127.0.0.1'], port: PORT, version: '1', signal: stop.signal };
  up = await new Promise((resolve, reject) => {
    running = runRelay({ ...options, log: (...line) => void logged.push(line) }, resolve);
    running.catch(reject);
  });
});
afterAll(async () => {
  stop.abort();
  await running;
  await rm(directory, { recursive: true });
});

async function joinAsHome(): Promise<{
  home: string;
  secret: string;
  place: { address: string; fingerprint: string };
}> {
  const invite = parseInvite(await makeInvite(directory, Date.now()));
  if (invite === undefined) throw new Error('no invite');
  const secret = randomBytes(32);
  const credential = createHash('sha256').update(secret).digest('base64url');
  const request = { ask: 'join', invite: invite.secret, credential } as const;
  const { home } = await askRelay(invite, request, RelayJoined, signal);
  return { home, secret: secret.toString('base64url'), place: invite };
}

it('keeps hashes, and no secret of an invite or a home', async () => {
  const { home, secret } = await joinAsHome();
  const unused = parseInvite(await makeInvite(directory, Date.now()))?.secret ?? '';
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((one) =>
    one.isFile(),
  );
  const texts = await Promise.all(files.map((one) => readFile(join(one.parentPath, one.name), 'utf8')));
  expect(files.map(({ name }) => name)).toContain(home);
  for (const text of texts) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(unused);
  }
  expect(JSON.stringify(logged)).not.toContain(secret);
});

it('an invite is over after a day, and one of two who come at once gets it', async () => {
  const late = parseInvite(await makeInvite(directory, Date.now() - 25 * 3_600_000));
  const credential = randomBytes(32).toString('base64url');
  const join = (invite: string) =>
    askRelay(parseInvite(up.invite ?? '')!, { ask: 'join', invite, credential }, RelayJoined, signal);
  await expect(join(late?.secret ?? '')).rejects.toMatchObject({ code: 'RelayRefused' });
  const fresh = parseInvite(await makeInvite(directory, Date.now()))?.secret ?? '';
  const both = await Promise.allSettled([join(fresh), join(fresh)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

it('dials nobody for who asks from its own machine', async () => {
  const { place, ...auth } = await joinAsHome();
  const dial = { ask: 'dialBack', ...auth, protocol: 'tcp', port: 22, payload: '', enough: 0 } as const;
  await expect(askRelay(place, dial, RelayDialled, signal)).rejects.toThrow('does not dial itself');
});

it('holds one connection for each home, until the next one comes or home ends it', async () => {
  const { place, ...auth } = await joinAsHome();
  const hold = (until: AbortSignal) => {
    const held = Promise.withResolvers<string>();
    const ended = holdRelay(
      place,
      { ask: 'hold', ...auth },
      RelayAbout,
      ({ observed }) => held.resolve(observed),
      until,
    );
    return { held: held.promise, ended };
  };
  const first = hold(signal);
  expect(await first.held).toBe('127.0.0.1');
  const stopSecond = new AbortController();
  const second = hold(stopSecond.signal);
  await second.held;
  await first.ended;
  const isOpen = Symbol('open');
  const soon = new Promise((resolve) => setTimeout(resolve, 300, isOpen));
  expect(await Promise.race([second.ended, soon])).toBe(isOpen);
  stopSecond.abort();
  await second.ended;
  const wrong = { ask: 'hold', home: auth.home, secret: randomBytes(32).toString('base64url') } as const;
  await expect(holdRelay(place, wrong, RelayAbout, () => undefined, signal)).rejects.toMatchObject({
    code: 'RelayRefused',
  });
});

it('cuts whoever sends too much, too little, or no TLS, and goes on', async () => {
  const secure = connect({ host: '127.0.0.1', port: PORT, rejectUnauthorized: false });
  secure.on('error', () => undefined);
  secure.write('x'.repeat(MAX_QUESTION_BYTES + 1));
  await once(secure, 'close');
  const plain = connectPlain({ host: '127.0.0.1', port: PORT });
  plain.on('error', () => undefined);
  plain.write('GET / HTTP/1.1\r\n\r\n');
  await once(plain, 'close');
  const slow = connectPlain({ host: '127.0.0.1', port: PORT });
  const begun = Date.now();
  await once(slow, 'close');
  expect(Date.now() - begun).toBeLessThan(8000);
  const { place, ...auth } = await joinAsHome();
  expect(await askRelay(place, { ask: 'status', ...auth }, RelayAbout, signal)).toMatchObject({
    observed: '127.0.0.1',
  });
}, 20_000);

it('forgets a home that leaves, and asks a home that asks too often to wait', async () => {
  const { place, ...auth } = await joinAsHome();
  const status = () => askRelay(place, { ask: 'status', ...auth }, RelayAbout, signal);
  const answers: string[] = [];
  for (let count = 0; count < 70; count += 1) {
    answers.push(
      await status().then(
        () => 'ok',
        (error: Error) => error.message,
      ),
    );
  }
  expect(answers.slice(0, 60)).toEqual(Array(60).fill('ok'));
  expect(answers.join()).toContain('too many questions');
  const other = await joinAsHome();
  const { place: there, ...theirs } = other;
  await askRelay(there, { ask: 'leave', ...theirs }, RelayAbout, signal);
  await expect(askRelay(there, { ask: 'status', ...theirs }, RelayAbout, signal)).rejects.toThrow(
    'not known here',
  );
}, 30_000);

it('does not speak any more to a source that guesses', async () => {
  const place = parseInvite(up.invite ?? '')!;
  const guess = () =>
    askRelay(
      place,
      { ask: 'status', home: randomBytes(8).toString('hex'), secret: randomBytes(32).toString('base64url') },
      RelayAbout,
      signal,
    ).catch((error: { code: string }) => error.code);
  const codes: unknown[] = [];
  for (let count = 0; count < 12; count += 1) codes.push(await guess());
  expect(codes[0]).toBe('RelayRefused');
  expect(codes.at(-1)).toBe('RelayUnreachable');
});

it('never replaces a damaged key', async () => {
  const other = await mkdtemp(join(tmpdir(), 'gw-relay-'));
  await ensureIdentity(other);
  await truncate(join(other, 'identity.pem'), 100);
  await expect(ensureIdentity(other)).rejects.toMatchObject({ code: 'KeyCorrupt' });
  await rm(other, { recursive: true });
});
