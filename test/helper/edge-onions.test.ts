import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EdgeOnion } from '../../src/core/operations.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { onionAddress } from '../../src/wire/onion.ts';
import { SHOP, startWebLabWith, WIKI, type WebLab } from '../support/web-lab.ts';
import type { Visited } from '../support/web-visitor-main.ts';

/** What the visitors of onions say to a real HAProxy, by the sockets that tor comes to, in tor's own words. */
let lab: WebLab;
const paths = pathsOf(directoriesIn('/run/gw-root'));
const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const VISITOR = resolve(import.meta.dirname, '../support/web-visitor-main.ts');
const SECRET = nodeCrypto.ed25519ExpandedSecret();
const PUBLIC = nodeCrypto.ed25519Public(SECRET);
const ONION = `${onionAddress(PUBLIC, nodeCrypto.sha3_256)}.onion`;
const isRoot = process.getuid?.() === 0;
const TOR = isRoot ? '971' : '0';

const SHOP_ONION: EdgeOnion = { service: 'shop', instance: 'tor', to: SHOP.to };
const DIARY: EdgeOnion = { service: 'wiki', instance: 'tor-only', to: WIKI.to };

const write = (...onions: EdgeOnion[]) =>
  lab.gateway.call('edge.write', { edge: { ...lab.spec([]), onions } });

beforeAll(async () => {
  lab = await startWebLabWith(SHOP, WIKI);
  const place = { type: 'namespace', name: 'shop' } as const;
  const shop = { address: SHOP.to.host, port: SHOP.to.port, place };
  const wiki = { address: WIKI.to.host, port: WIKI.to.port, place, privacy: 'tor-only' as const };
  await lab.gateway.apply({ listen: lab.ports, services: { shop, wiki } });
  await write(SHOP_ONION, DIARY);
  await lab.gateway.helper.call('edge.load', {}, AbortSignal.timeout(30_000));
});
afterAll(async () => {
  await lab.stop();
});

const get = (...headers: string[]): string =>
  ['GET /a%2Fb HTTP/1.1', `Host: ${ONION}`, 'Connection: close', ...headers, '', ''].join('\r\n');
/** What tor says of a circuit (HiddenServiceExportCircuitID), then what the visitor says. */
const from = (circuit: string, request: string): string =>
  `PROXY TCP6 fc00:dead:beef:4dad::0:${circuit} ::1 65535 80\r\n${request}`;

async function ask(
  { instance, service }: Pick<EdgeOnion, 'instance' | 'service'>,
  send: readonly string[],
  { times = 1, user = TOR, quietMs = 1500 } = {},
): Promise<Visited> {
  const visit = { path: paths.onionDoor(instance, service), send, quietMs, times };
  const argv = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', NODE, VISITOR] as const;
  const [visited] = JSON.parse(
    await lab.machine.sh('setpriv', ...argv, JSON.stringify([visit])),
  ) as Visited[];
  if (visited === undefined) throw new Error('nobody came back');
  return visited;
}

it('tells a page that its visitor came without TLS, by which name, and a circuit in place of an address', async () => {
  const { answer } = await ask(SHOP_ONION, [from('2a', get())]);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(answer).toMatch(/^GET \/a%2Fb HTTP\/1\.1\r$/m);
  expect(answer).toMatch(/^x-forwarded-proto: http\r$/im);
  expect(answer).toMatch(/^x-forwarded-for: fc00:dead:beef:4dad::2a\r$/im);
  expect(answer).toMatch(/^x-real-ip: fc00:dead:beef:4dad::2a\r$/im);
  expect(answer).toMatch(new RegExp(`^host: ${ONION}\r$`, 'im'));
  expect(answer).toMatch(new RegExp(`^x-forwarded-host: ${ONION}\r$`, 'im'));
});

it('believes nothing that a visitor says of itself', async () => {
  const claims = [
    'X-Forwarded-For: 127.0.0.1',
    'X_Forwarded_Proto: https',
    'Forwarded: for=127.0.0.1',
    'Proxy: evil',
  ];
  const { answer } = await ask(SHOP_ONION, [from('1', get(...claims))]);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(answer).not.toMatch(/127\.0\.0\.1|proto: https|evil/i);
});

it('answers at its own name alone, once it has one, and to those below it', async () => {
  const under = (host: string) =>
    ask(SHOP_ONION, [from('1', get().replace(`Host: ${ONION}`, `Host: ${host}`))]);
  expect((await under('evil.test')).answer).toMatch(/^HTTP\/1\.1 200 /);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const keys = { secretKey: base64(SECRET), publicKey: base64(PUBLIC), hostname: ONION };
  const spec = {
    service: 'shop',
    virtualPort: 80,
    target: SHOP.to,
    through: 'edge' as const,
    proofOfWork: false,
  };
  await lab.gateway.call('tor.writeOnion', { instance: 'tor', onion: { ...spec, ...keys } });
  const check = async (): Promise<void> => {
    const other = `${'b'.repeat(56)}.onion`;
    for (const host of ['evil.test', other, `${ONION}.evil.test`, ONION.slice(1), '10.64.1.2']) {
      expect((await under(host)).answer, host).toMatch(/^HTTP\/1\.1 421 /);
    }
    for (const host of [ONION, `${ONION}:80`, `www.${ONION}`, `${ONION.toUpperCase()}.`]) {
      expect((await under(host)).answer, host).toMatch(/^HTTP\/1\.1 200 /);
    }
  };
  await check();
  await write(SHOP_ONION);
  await write(SHOP_ONION, DIARY);
  await lab.gateway.helper.call('edge.load', {}, AbortSignal.timeout(30_000));
  expect((await under('evil.test')).answer).toMatch(/^HTTP\/1\.1 421 /);
});

it('takes a WebSocket, in both directions', async () => {
  const handshake = get('Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==').replace(
    'Connection: close',
    'Connection: Upgrade',
  );
  const { answer } = await ask(SHOP_ONION, [from('1', handshake), 'ping']);
  expect(answer).toMatch(/^HTTP\/1\.1 101 [^]*ping$/);
});

it('leads each service by a socket of its own, of its own tor process', async () => {
  expect((await ask(DIARY, [from('1', get())])).answer).toMatch(/^wiki \+ 0 bytes/m);
  const config = await readFile(lab.machine.outside(`${paths.edgeState}/haproxy.cfg`), 'utf8');
  const [, open = ''] = /^frontend gateway\.onions\.tor$([^]*?)^(?:frontend|backend)/m.exec(config) ?? [];
  expect(open).toContain('name shop');
  expect(open).not.toContain('wiki');
  await expect(write({ ...DIARY, instance: 'tor' })).rejects.toMatchObject({ code: 'HelperRefused' });
  await expect(write({ ...SHOP_ONION, to: WIKI.to })).rejects.toMatchObject({ code: 'HelperRefused' });
});

it.skipIf(!isRoot)('lets nobody in but tor: who could write there could be any circuit', async () => {
  for (const user of ['970', '65534']) {
    expect(await ask(SHOP_ONION, [from('1', get())], { user })).toMatchObject({ error: 'EACCES' });
  }
});

it('counts requests by circuit, so that one visitor does not keep the others out', async () => {
  const kept = get().replace('Connection: close\r\n', '');
  const much = await ask(SHOP_ONION, [from('7', kept), kept], { times: 5000, quietMs: 4000 });
  expect(much.answer).toMatch(/HTTP\/1\.1 429 /);
  expect((await ask(SHOP_ONION, [from('7', get())])).answer).toMatch(/^HTTP\/1\.1 429 /);
  expect((await ask(SHOP_ONION, [from('8', get())])).answer).toMatch(/^HTTP\/1\.1 200 /);
});

it('logs nothing of a request, and is back with its sockets after kill -9', async () => {
  await lab.machine.sh('pkill', '-KILL', '-x', 'haproxy');
  await lab.gateway.helper.call('edge.load', {}, AbortSignal.timeout(30_000));
  expect((await ask(SHOP_ONION, [from('1', get())])).answer).toMatch(/^shop \+ 0 bytes/m);
  const log = await readFile(lab.machine.outside(`${paths.edgeState}/haproxy.log`), 'utf8');
  expect(log).not.toMatch(/a%2Fb|fc00:dead/);
});

it('says that the page is gone by a status of its own, by which our visit knows', async () => {
  await lab.machine.sh('pkill', '-KILL', '-f', 'web-service-main.ts shop');
  // It is tried again three times, once a second.
  const { answer } = await ask(SHOP_ONION, [from('1', get())], { quietMs: 5000 });
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
});
