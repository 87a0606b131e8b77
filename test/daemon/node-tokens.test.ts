import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { Desired } from '../../src/core/desired.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Rights } from '../../src/core/rights.ts';
import type { Device, Service } from '../../src/core/service.ts';
import { endTokens, endingTokens, liveTokens } from '../../src/core/tokens.ts';
import type { Changes } from '../../src/daemon/change.ts';
import { NodeTokens } from '../../src/daemon/node-tokens.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/engine/store.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { openStore } from '../../src/system/store/index.ts';
import { parseMacaroon } from '../../src/wire/macaroon.ts';
import { certificate } from '../support/lightning/certificate.ts';
import { FakeCln, FakeLnd, type TlsFiles } from '../support/lightning/node.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';

const signal = AbortSignal.timeout(60_000);
const PHONE: Device = { name: 'phone', services: ['lnd', 'cln'], addedAt: '2026-01-01T00:00:00.000Z' };

let directory: string;
let tls: TlsFiles;
let other: TlsFiles;
let lnd: FakeLnd;
let cln: FakeCln;
let store: Store;
let now = 0;
let services: Service[] = [];
const said: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-tokens-'));
  [tls, other] = await Promise.all([
    certificate(directory, 'node', signal),
    certificate(directory, 'other', signal),
  ]);
});
afterAll(() => rm(directory, { recursive: true }));

const listening = (node: FakeLnd | FakeCln): Promise<number> =>
  new Promise((resolve) => {
    node.server.listen(0, '127.0.0.1', () => resolve((node.server.address() as AddressInfo).port));
  });
const service = (name: string, kind: 'lnd' | 'clnrest', port: number, credential: string): Service => ({
  name,
  kind,
  privacy: 'open',
  port,
  place: { type: 'host' },
  node: { credential, certificate: tls.cert },
  address: '10.64.1.2',
  dial: { host: '127.0.0.1', port },
});

beforeEach(async () => {
  lnd = new FakeLnd(tls);
  cln = new FakeCln(tls);
  const [lndPort, clnPort] = await Promise.all([listening(lnd), listening(cln)]);
  const [macaroon, rune] = [join(directory, 'gateway.macaroon'), join(directory, 'gateway.rune')];
  await rm(macaroon, { force: true });
  await writeFile(macaroon, lnd.bakery.bake('7', { macaroon: ['generate', 'write'] }), { mode: 0o600 });
  const own = cln.runes.create([['method=createrune', 'method=blacklistrune']]).rune;
  await writeFile(rune, `${own}\n`, { mode: 0o600 });
  services = [service('lnd', 'lnd', lndPort, macaroon), service('cln', 'clnrest', clnPort, rune)];
  const state = await mkdtemp(join(directory, 'state-'));
  store = openStore({ database: join(state, 'state.db'), snapshot: join(state, 'snapshot.json') });
  await store.commit({ putDevices: [PHONE] });
  now = Date.parse('2026-06-01T00:00:00Z');
  said.length = 0;
});
afterEach(async () => {
  for (const { server } of [lnd, cln]) server.close();
  store.close();
});

/** Only what these use of the daemon: the turn, the state, where services are. */
function tokens(): NodeTokens {
  const desired: Partial<Desired> = { network: networkFor('gw', '10.64.0.0/20'), services };
  const changes: Partial<Changes> = { inTurn: (change) => change(), demandUp: () => undefined };
  return new NodeTokens({
    changes: changes as Changes,
    engine: { desired } as Engine,
    store,
    ports: unavailablePorts({
      keys: createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto }),
      crypto: nodeCrypto,
      now: () => now,
    }),
    record: (_type, message) => void said.push(message),
  });
}

/** As a wallet asks: its answer's status. */
function ask(port: number, method: string, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      method,
      path,
      headers,
      rejectUnauthorized: false,
      agent: false,
    };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}
const lndPort = (): number => services[0]?.port ?? 0;
const clnPort = (): number => services[1]?.port ?? 0;
const withMacaroon = (secret: string, method: string, path: string): Promise<number> =>
  ask(lndPort(), method, path, { 'Grpc-Metadata-macaroon': Buffer.from(secret, 'base64').toString('hex') });
const withRune = (rune: string, method: string): Promise<number> =>
  ask(clnPort(), 'POST', `/v1/${method}`, { Rune: rune });
const failing = async (task: Promise<unknown>): Promise<string> => {
  try {
    await task;
    return 'it worked';
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return `${error.code}: ${error.message} → ${error.hint ?? ''}`;
  }
};

it.each([
  ['read', { see: 200, invoice: 500, pay: 500 }],
  ['invoice', { see: 200, invoice: 200, pay: 500 }],
  ['pay', { see: 200, invoice: 200, pay: 200 }],
] as const)('LND makes a macaroon for %s, and nothing more', async (rights: Rights, allowed) => {
  const { secret, kind } = await tokens().mint('phone', { service: 'lnd', rights }, signal);
  expect(kind).toBe('macaroon');
  expect({
    see: await withMacaroon(secret, 'GET', '/v1/getinfo'),
    invoice: await withMacaroon(secret, 'POST', '/v1/invoices'),
    pay: await withMacaroon(secret, 'POST', '/v1/channels/transactions'),
  }).toEqual(allowed);
  for (const [method, path] of [
    ['POST', '/v1/transactions'],
    ['POST', '/v1/macaroon'],
    ['DELETE', '/v1/macaroon/7'],
    ['GET', '/v1/macaroon/ids'],
  ] as const) {
    expect(await withMacaroon(secret, method, path)).toBe(500);
  }
  const id = parseMacaroon(Buffer.from(secret, 'base64'))?.rootKeyId ?? '';
  expect(Number(id)).toBeGreaterThan(2 ** 32);
  expect(JSON.stringify(store.ledger())).toContain(id);
  expect(JSON.stringify([store.ledger(), said])).not.toContain(secret);
});

it('Core Lightning makes a rune with restrictions, which is refused once it was taken back', async () => {
  const mine = tokens();
  const { secret } = await mine.mint('phone', { service: 'cln', rights: 'invoice' }, signal);
  const tries = await Promise.all(
    ['getinfo', 'listfunds', 'invoice', 'pay', 'withdraw', 'listdatastore', 'createrune'].map((method) =>
      withRune(secret, method),
    ),
  );
  expect(tries).toEqual([201, 201, 201, 401, 401, 401, 401]);
  await store.commit({ ledger: endTokens(store.ledger(), 'phone') });
  await mine.settle(signal);
  expect(await withRune(secret, 'getinfo')).toBe(401);
  expect(cln.runes.blacklisted).toEqual([1]);
  expect(mine.remarks()).toEqual([]);
});

it('ends one device’s macaroon and no other’s, and the one before when it is made again', async () => {
  const mine = tokens();
  await store.commit({ putDevices: [{ ...PHONE, name: 'tablet' }] });
  const minting = { service: 'lnd', rights: 'read' } as const;
  const first = await mine.mint('phone', minting, signal);
  const tablet = await mine.mint('tablet', minting, signal);
  const second = await mine.mint('phone', { ...minting, rights: 'pay' }, signal);
  await mine.settle(signal);
  const seen = (token: { secret: string }): Promise<number> =>
    withMacaroon(token.secret, 'GET', '/v1/getinfo');
  expect([await seen(first), await seen(second), await seen(tablet)]).toEqual([500, 200, 200]);
  const held = liveTokens(store.ledger()).filter(({ device }) => device === 'phone');
  expect(held.map(({ rights }) => rights)).toEqual(['pay']);
  await store.commit({ ledger: endTokens(store.ledger(), 'phone', ['cln']) });
  await mine.settleFor('phone', signal);
  expect(await seen(second)).toBe(200);
  await store.commit({ ledger: endTokens(store.ledger(), 'phone') });
  await mine.settleFor('phone', signal);
  expect([await seen(second), await seen(tablet)]).toEqual([500, 200]);
  expect(said.at(-1)).toBe('the macaroon of device phone for lnd works no more');
});

it('remembers what a node that is off did not take back, says so, and ends it when it is on again', async () => {
  const { secret } = await tokens().mint('phone', { service: 'lnd', rights: 'pay' }, signal);
  const port = lndPort();
  await new Promise((resolve) => {
    lnd.server.close(resolve);
    lnd.server.closeAllConnections();
  });
  await store.commit({ removeDevices: ['phone'], ledger: endTokens(store.ledger(), 'phone') });
  // Another run of the daemon: only what is on the disk is known.
  const later = tokens();
  await later.settle(signal);
  expect(later.remarks().join()).toMatch(
    /^the macaroon of phone for lnd still works: nothing listens at 127.0.0.1:\d+: the node does not run; it is tried again, or by hand: lncli deletemacaroonid \d+$/,
  );
  await new Promise<void>((resolve) => {
    lnd.server.listen(port, '127.0.0.1', () => resolve());
  });
  expect(await withMacaroon(secret, 'GET', '/v1/getinfo')).toBe(200);
  await later.settle(signal);
  expect(later.remarks()).toHaveLength(1);
  now += 61_000;
  await later.settle(signal);
  expect(later.remarks()).toEqual([]);
  expect(await withMacaroon(secret, 'GET', '/v1/getinfo')).toBe(500);
});

it('hands out nothing of a node that makes another macaroon than it was asked for, and takes it back', async () => {
  const admin = lnd.bakery.bake('0', { macaroon: ['generate'], offchain: ['write'] }).toString('hex');
  lnd.misbehave = (response) => {
    response.end(JSON.stringify({ macaroon: admin }));
    return true;
  };
  const mine = tokens();
  const minting = { service: 'lnd', rights: 'read' } as const;
  expect(await failing(mine.mint('phone', minting, signal))).toMatch(/^NodeFailed: .*another macaroon/);
  expect(liveTokens(store.ledger())).toEqual([]);
  expect(endingTokens(store.ledger())).toHaveLength(1);
  lnd.misbehave = (response) => {
    response.end(Buffer.alloc(1_000_000, '{'));
    return true;
  };
  expect(await failing(mine.mint('phone', minting, signal))).toMatch(/more than 65536 bytes/);
  lnd.misbehave = undefined;
  await mine.settle(signal);
  expect(mine.remarks()).toEqual([]);
});

it('does not hand out what is revoked while it is made', async () => {
  lnd.misbehave = () => {
    void store.commit({ removeDevices: ['phone'], ledger: endTokens(store.ledger(), 'phone') });
    return false;
  };
  const mine = tokens();
  const minting = { service: 'lnd', rights: 'pay' } as const;
  expect(await failing(mine.mint('phone', minting, signal))).toMatch(/^DeviceUnknown/);
  await mine.settle(signal);
  expect([lnd.bakery.rootKeyIds, endingTokens(store.ledger())]).toEqual([['0', '7'], []]);
});

it('tells nobody but the node its credential, and says what is in the way', async () => {
  const minting = { service: 'lnd', rights: 'read' } as const;
  const attempt = (): Promise<string> => failing(tokens().mint('phone', minting, signal));
  const [first, second] = services;
  if (first?.node === undefined || second === undefined) throw new Error('there are no services');
  const at = (changes: Partial<NonNullable<Service['node']>>, place: Partial<Service> = {}): void => {
    services = [
      {
        ...first,
        ...place,
        node: { credential: first.node?.credential ?? '', certificate: tls.cert, ...changes },
      },
      second,
    ];
  };
  at({ certificate: other.cert });
  expect(await attempt()).toMatch(/^NodeFailed: who answers at .* has another certificate than the node/);
  at({ credential: join(directory, 'nothing') });
  expect(await attempt()).toMatch(
    /^PermissionDenied: the daemon cannot read the macaroon of lnd: ENOENT.* → .*chown gateway/,
  );
  at({});
  await chmod(first.node.credential, 0o644);
  expect(await attempt()).toMatch(
    /^PermissionDenied: everybody on this machine may read the macaroon of lnd/,
  );
  await chmod(first.node.credential, 0o600);
  await writeFile(first.node.credential, 'a rune, perhaps');
  expect(await attempt()).toMatch(/^ConfigInvalid: .* holds no macaroon → make one: lncli bakemacaroon/);
  await writeFile(first.node.credential, lnd.bakery.bake('8', { info: ['read'] }));
  expect(await attempt()).toMatch(/^NodeFailed: .*it said: permission denied → .*macaroon:generate/);
  expect(await failing(tokens().mint('tablet', minting, signal))).toMatch(/^DeviceUnknown/);
  await store.commit({ putDevices: [{ ...PHONE, services: ['cln'] }] });
  expect(await attempt()).toMatch(/was not given lnd → .*gateway device grant phone --service lnd/);
  const { node: _none, ...closed } = first;
  services = [closed, second];
  await store.commit({ putDevices: [PHONE] });
  expect(await attempt()).toMatch(/^NotSupported: .* has no way into the node lnd.* → .*node: \{ macaroon:/);
});
