import { readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { OnionFiles } from '../../src/core/operations.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { encodeBase32, onionAddress } from '../../src/wire/onion.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';

/** Who an onion service lets in, as the files that a real tor reads. */
let machine: Machine;
let gateway: Gateway;
const paths = pathsOf(directoriesIn('/run/gw-root'));
const inside = (name = ''): string =>
  machine.outside(`${paths.torState}/onions/lnd/authorized_clients${name === '' ? '' : `/${name}`}`);
const publicKey = (): string =>
  encodeBase32(nodeCrypto.curve25519Public(nodeCrypto.curve25519Secret())).toUpperCase();
const CLIENTS = ['alice', 'bob'].map((name) => ({ name, key: publicKey() }));
const [ALICE, BOB] = CLIENTS;
const VISITOR = publicKey();
const SECRET = nodeCrypto.ed25519ExpandedSecret();
type Clients = typeof CLIENTS;

const spec = (clients?: Clients, round = 1) => ({
  service: 'lnd',
  virtualPort: 8080,
  proofOfWork: true,
  target: { host: '10.64.0.16', port: 8080 },
  ...(clients === undefined ? {} : { authorization: { clients, round } }),
});
function onion(clients?: Clients, visitor: string | undefined = VISITOR, round = 1): OnionFiles {
  const key = nodeCrypto.ed25519Public(SECRET);
  return {
    ...spec(clients, round),
    ...(visitor === undefined ? {} : { visitor }),
    secretKey: Buffer.from(SECRET).toString('base64'),
    publicKey: Buffer.from(key).toString('base64'),
    hostname: `${onionAddress(key, nodeCrypto.sha3_256)}.onion`,
  };
}
const permit = (onionClients?: Clients) =>
  gateway.apply({
    services: {
      lnd: {
        address: '10.64.0.16',
        port: 8080,
        place: { type: 'namespace', name: 'lnd' },
        ...(onionClients === undefined ? {} : { onionClients }),
      },
    },
  });
const write = (...input: Parameters<typeof onion>) =>
  gateway.call('tor.writeOnion', { instance: 'tor', onion: onion(...input) });
const load = async (clients?: Clients, round = 1) => {
  const { network } = gateway;
  await gateway.call('tor.write', {
    instance: 'tor',
    torrc: { source: network.tor, pool: network.pool, onions: [spec(clients, round)] },
  });
  return gateway.helper.call('tor.load', { instance: 'tor' }, AbortSignal.timeout(30_000));
};
const observe = () => gateway.helper.call('tor.observe', { instance: 'tor' }, AbortSignal.timeout(15_000));
const files = async (): Promise<string[]> => (await readdir(inside())).sort();

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});
beforeEach(async () => {
  await gateway.helper.call('tor.stop', { instance: 'tor' }, AbortSignal.timeout(15_000));
  await permit();
  await gateway.call('tor.removeOnion', { instance: 'tor', service: 'lnd' });
  await permit(CLIENTS);
});

it('has a file for each device and one for the gateway itself, which only tor can read', async () => {
  await write(CLIENTS);
  expect(await files()).toEqual(['0-gateway.auth', 'alice.auth', 'bob.auth']);
  expect(await readFile(inside('alice.auth'), 'utf8')).toBe(`descriptor:x25519:${ALICE?.key}\n`);
  for (const name of await files()) {
    expect((await stat(inside(name))).mode & 0o777).toBe(0o600);
  }
  expect((await observe()).onions).toMatchObject([{ ...spec(CLIENTS), visitor: VISITOR }]);
});

it('locks the onion although no device was added: without any key tor would let everybody in', async () => {
  await write([]);
  expect(await files()).toEqual(['0-gateway.auth']);
  expect(await load([])).toMatchObject({ left: [] });
});

it('takes a device away and leaves the others, also when the gateway’s own key is not known any more', async () => {
  await write(CLIENTS);
  const { visitor: _, ...bobAlone } = onion(BOB === undefined ? [] : [BOB]);
  await gateway.call('tor.writeOnion', { instance: 'tor', onion: bobAlone });
  expect(await files()).toEqual(['0-gateway.auth', 'bob.auth']);
  expect((await observe()).onions[0]?.visitor).toBe(VISITOR);
});

it('refuses to ask for keys while it knows none at all', async () => {
  const { visitor: _, ...without } = onion(CLIENTS);
  await expect(gateway.call('tor.writeOnion', { instance: 'tor', onion: without })).rejects.toMatchObject({
    code: 'KeyMissing',
  });
});

it.each<[string, () => Promise<void>]>([
  ['a file is gone', () => rm(inside('alice.auth'))],
  ['a file is cut off', () => writeFile(inside('alice.auth'), 'descriptor:x25519:AAAA')],
  ['all files are gone', () => rm(inside(), { recursive: true })],
  ['the gateway’s own is gone', () => rm(inside('0-gateway.auth'))],
  [
    'somebody put a file there',
    () => writeFile(inside('mallory.auth'), `descriptor:x25519:${publicKey()}\n`),
  ],
])('leaves the onion out when %s, instead of letting others in', async (_what, damage) => {
  await write(CLIENTS);
  await damage();
  expect((await observe()).onions[0]?.damaged).toMatch(/authorized_clients/);
  expect((await load(CLIENTS)).left).toMatchObject([{ service: 'lnd' }]);
  await write(CLIENTS);
  expect(await load(CLIENTS)).toMatchObject({ left: [] });
});

it('follows no link that tor’s user put in place of the directory', async () => {
  await write(CLIENTS);
  await rm(inside(), { recursive: true });
  await machine.sh('mkdir', '-p', '/run/elsewhere');
  await symlink('/run/elsewhere', inside());
  await expect(write(CLIENTS)).rejects.toThrow(/authorized_clients|lnd/);
  expect(await readdir(machine.outside('/run/elsewhere'))).toEqual([]);
});

it('opens it for everybody only when the config does', async () => {
  await write(CLIENTS);
  await expect(write(undefined)).rejects.toMatchObject({ code: 'HelperRefused' });
  const mallory = [{ name: 'mallory', key: publicKey() }];
  await expect(write(mallory)).rejects.toMatchObject({ code: 'HelperRefused' });
  await expect(load(mallory)).rejects.toMatchObject({ code: 'HelperRefused' });
  await permit();
  await write(undefined);
  expect(await files()).toEqual([]);
});

it('keeps the process when a round begins, and says which it has', async () => {
  await write(CLIENTS);
  await load(CLIENTS);
  const before = await observe();
  await write(CLIENTS, VISITOR, 2);
  expect(await load(CLIENTS, 2)).toEqual({ started: false, left: [] });
  const after = await observe();
  expect(after.loadedHash).toBe(after.torrcHash);
  expect(after.loadedHash).not.toBe(before.loadedHash);
});
