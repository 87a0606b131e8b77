import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { onionAddress, renderPublicKeyFile } from '../../src/wire/onion.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine, until } from '../support/machine.ts';

/**
 * Each way in which what tor reads can be damaged, under a real tor: only that onion is left out, tor goes on with the
 * other one and starts without it, nothing is overwritten, and written again from the key it has the same address.
 */
let machine: Machine;
let gateway: Gateway;
const paths = pathsOf(directoriesIn('/run/gw-root'));
const TOR_UID = process.getuid?.() === 0 ? 971 : 0;

const made = (service: string, host: string) => {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const publicKey = nodeCrypto.ed25519Public(secret);
  return {
    service,
    virtualPort: 80,
    proofOfWork: true,
    target: { host, port: 8080 },
    secretKey: Buffer.from(secret).toString('base64'),
    publicKey: Buffer.from(publicKey).toString('base64'),
    hostname: `${onionAddress(publicKey, nodeCrypto.sha3_256)}.onion`,
  };
};
const shop = made('shop', '10.64.0.16');
const blog = made('blog', '10.64.0.17');
const place = (service = 'shop'): string => machine.outside(`${paths.torState}/onions/${service}`);
const file = (name: string): string => `${place()}/${name}`;
const SECRET = 'hs_ed25519_secret_key';
const PUBLIC = 'hs_ed25519_public_key';

const observe = () => gateway.helper.call('tor.observe', { instance: 'tor' }, AbortSignal.timeout(15_000));
const load = () => gateway.helper.call('tor.load', { instance: 'tor' }, AbortSignal.timeout(30_000));
const write = () => {
  const specs = [blog, shop].map(({ secretKey: _s, publicKey: _p, hostname: _h, ...spec }) => spec);
  const { tor: source, pool } = gateway.network;
  return gateway.call('tor.write', { instance: 'tor', torrc: { source, pool, onions: specs } });
};
const publish = async (): Promise<void> => {
  for (const onion of [shop, blog]) await gateway.call('tor.writeOnion', { instance: 'tor', onion });
  await write();
  await until(() => load().catch(() => undefined));
};
const torPid = async (): Promise<string> => readFile(machine.outside(paths.torPid), 'utf8');
const own = (path: string): Promise<void> => chown(path, TOR_UID, TOR_UID);

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  const service = (name: string, address: string) => ({
    address,
    port: 8080,
    place: { type: 'namespace' as const, name },
  });
  await gateway.apply({
    services: { shop: service('shop', '10.64.0.16'), blog: service('blog', '10.64.0.17') },
  });
  await publish();
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

/** Everything below the onion's place, with kinds, modes and contents. */
async function picture(path: string): Promise<string[]> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return [];
  const head = `${path} ${stat.mode} ${stat.uid}`;
  if (stat.isFile()) return [`${head} ${(await readFile(path)).toString('hex')}`];
  if (!stat.isDirectory()) return [head];
  const names = (await readdir(path)).sort();
  return [head, ...(await Promise.all(names.map((name) => picture(`${path}/${name}`)))).flat()];
}

it.each<[string, () => Promise<unknown>, RegExp]>([
  ['a truncated secret', () => truncate(file(SECRET), 60), /60 of 96 bytes/],
  ['an empty secret', () => truncate(file(SECRET), 0), /0 of 96 bytes/],
  ['no secret', () => rm(file(SECRET)), /not there/],
  [
    'a secret with another header',
    async () =>
      writeFile(
        file(SECRET),
        Buffer.concat([Buffer.alloc(32, 'x'), (await readFile(file(SECRET))).subarray(32)]),
      ),
    /secret_key is damaged/,
  ],
  ['no public key', () => rm(file(PUBLIC)), /public_key is damaged or not there/],
  ['a truncated public key', () => truncate(file(PUBLIC), 40), /public_key is damaged/],
  [
    'a public key of another secret',
    () => writeFile(file(PUBLIC), renderPublicKeyFile(Buffer.from(blog.publicKey, 'base64'))),
    /do not belong together/,
  ],
  [
    'the secret of another onion',
    async () => writeFile(file(SECRET), await readFile(`${place('blog')}/${SECRET}`)),
    /do not belong together/,
  ],
  ['another hostname', () => writeFile(file('hostname'), `${blog.hostname}\n`), /file hostname/],
  ['an empty hostname', () => truncate(file('hostname'), 0), /file hostname/],
  ['a directory that tor may not enter', () => chmod(place(), 0), /directory may not be read by tor/],
  ['a directory that everybody may enter', () => chmod(place(), 0o755), /directory is open to other users/],
  ['a secret that tor may not read', () => chmod(file(SECRET), 0), /secret_key may not be read by tor/],
  ['a secret that everybody may read', () => chmod(file(SECRET), 0o644), /secret_key is open to other users/],
  [
    'a link in place of the secret',
    async () => {
      await rename(file(SECRET), file('elsewhere'));
      await symlink('elsewhere', file(SECRET));
    },
    /secret_key was replaced by a link/,
  ],
  [
    'a directory in place of the secret',
    async () => {
      await rm(file(SECRET));
      await mkdir(file(SECRET));
      await writeFile(file(`${SECRET}/x`), '');
      await own(file(SECRET));
    },
    /secret_key was replaced by a directory/,
  ],
  [
    'a pipe in place of the hostname',
    async () => {
      await rm(file('hostname'));
      await machine.sh('mkfifo', `${paths.torState}/onions/shop/hostname`);
    },
    /hostname was replaced by a pipe/,
  ],
  [
    'a link in place of the directory',
    async () => {
      await rename(place(), place('moved'));
      await symlink('moved', place());
    },
    /directory was replaced by a link/,
  ],
  [
    'a file in place of the directory',
    async () => {
      await rm(place(), { recursive: true });
      await writeFile(place(), '');
    },
    /directory was replaced by a file/,
  ],
  ['no directory', () => rm(place(), { recursive: true }), /directory is not there/],
])('%s: that onion alone is left out, and comes back with its address', async (_what, damage, why) => {
  await damage();
  const before = await picture(place());
  const seen = await observe();
  expect(seen.onions.map(({ service, damaged }) => [service, damaged])).toEqual([
    ['blog', undefined],
    ['shop', expect.stringMatching(why)],
  ]);
  const pid = await torPid();
  expect((await load()).left).toEqual([{ service: 'shop', reason: expect.stringMatching(why) }]);
  expect(await torPid()).toBe(pid);
  expect(await picture(place())).toEqual(before);
  await publish();
  expect(await torPid()).toBe(pid);
  expect(await observe()).toMatchObject({
    running: true,
    left: [],
    onions: [{ hostname: blog.hostname }, { hostname: shop.hostname }],
  });
  await rm(place('moved'), { recursive: true, force: true });
});

it('starts with the onions that are whole, and leaves the damaged one as it is', async () => {
  await truncate(file(SECRET), 31);
  const before = await picture(place());
  await machine.sh('kill', '-KILL', (await torPid()).trim());
  const loaded = await until(() => load().catch(() => undefined));
  expect(loaded).toMatchObject({ started: true, left: [{ service: 'shop' }] });
  expect(await picture(place())).toEqual(before);
  await publish();
  expect((await observe()).left).toEqual([]);
});
