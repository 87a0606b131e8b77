import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EdgeSite, OnionFiles } from '../../src/core/operations.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { onionAddress } from '../../src/wire/onion.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { tellByHand } from '../support/edge-by-hand.ts';
import { until } from '../support/machine.ts';
import { ELECTRUM, selfSigned, SHOP, startWebLabWith, WIKI, type WebLab } from '../support/web-lab.ts';

/** What is done for one service and not for another, by a real HAProxy in front of real services. */
let lab: WebLab;
const GRPC = resolve(import.meta.dirname, '../support/grpc-service-main.ts');

const paths = pathsOf(directoriesIn('/run/gw-root'));

const SITES = [ELECTRUM, SHOP, WIKI];
const NAME = SHOP.domain;

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const call: WebLab['gateway']['helper']['call'] = (name, input) =>
  lab.gateway.helper.call(name, input, signal());
const give = (name: string, pem: string) => lab.give(name, pem);

beforeAll(async () => {
  lab = await startWebLabWith(...SITES);
  await lab.up(SITES);
  const { pem } = await selfSigned([NAME]);
  await give(NAME, pem);
});
afterAll(async () => {
  await lab.stop();
});

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, `Host: ${NAME}`, 'Connection: close', ...headers, '', ''].join('\r\n');

/** What the visitor hears; what the service heard is in the body. */
async function ask(request: string, sni = NAME): Promise<string> {
  return (await lab.visit({ sni, send: [request] })).answer;
}

describe('a service that does not run', () => {
  it('has a page that says so in plain words', async () => {
    const to = { host: '10.64.1.6', port: 8082 };
    await lab.addService('empty', to.host, to.port);
    await lab.up([{ ...SHOP, service: 'empty', to }]);
    // It is tried again three times, once a second.
    const { answer } = await lab.visit({ sni: NAME, send: [get('/')], quietMs: 10_000 });
    expect(answer).toMatch(/^HTTP\/1\.1 503 [^]*content-type: text\/html\r\n/);
    expect(answer).toMatch(/What is behind this page does not answer at the moment/);
    expect(answer).not.toMatch(/<script/);
    await lab.up(SITES);
  });
});

describe('a Lightning node', () => {
  const NODE: EdgeSite = {
    ...SHOP,
    service: 'lnd',
    domain: 'lnd.test',
    speaksTls: true,
    guard: 'wallet',
    to: { host: '10.64.1.5', port: 8081 },
  };

  it('is asked by its own TLS, and its wallet is opened by no visitor', async () => {
    const { pem } = await selfSigned(['lnd.test']);
    await lab.addService('lnd', NODE.to.host, NODE.to.port);
    await lab.serve('lnd', NODE.to.port, pem);
    await lab.up([...SITES, NODE]);
    await give('lnd.test', pem);
    const calls = [
      '/v1/unlockwallet',
      '/v1/initwallet',
      '/v1/genseed',
      '/v1/changepassword',
      '/v1/%75nlockwallet',
      '//v1//unlockwallet/',
      '/v1/getinfo/../unlockwallet',
      '/lnrpc.WalletUnlocker/UnlockWallet',
    ];
    const sent = ['/v1/getinfo', ...calls].map((path) => ({
      sni: 'lnd.test',
      send: [get(path).replace(NAME, 'lnd.test')],
    }));
    const [usual, ...refused] = await lab.visitAll(sent);
    expect(usual?.answer).toMatch(/^lnd \+ 0 bytes\r\nGET \/v1\/getinfo/m);
    for (const { answer } of refused)
      expect(answer).toMatch(/^HTTP\/1\.1 403 [^]*The wallet cannot be opened/);
  });
});

describe('the onion address of a page', () => {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const publicKey = nodeCrypto.ed25519Public(secret);
  const hostname = `${onionAddress(publicKey, nodeCrypto.sha3_256)}.onion`;
  const SPEC = { service: 'shop', virtualPort: 80, proofOfWork: false, target: SHOP.to };
  const write = (rest: Partial<OnionFiles>) => {
    const [secretKey, publicText] = [secret, publicKey].map((key) => Buffer.from(key).toString('base64'));
    const files = { ...SPEC, secretKey: secretKey ?? '', publicKey: publicText ?? '', hostname, ...rest };
    return lab.gateway.call('tor.writeOnion', { instance: 'tor', onion: files });
  };
  const told = async (): Promise<string | undefined> =>
    /^onion-location: (.*)\r$/im.exec(await ask(get('/a%2Fb?c=%20')))?.[1];
  const renewal = async () => (await call('edge.observe', {}, signal())).renew;

  it('is told where its owner wants that, and while everybody may open it', async () => {
    const sites = [{ ...SHOP, onionLocation: true as const }, WIKI];
    await lab.up(sites);
    expect(await told()).toBeUndefined();
    await write({});
    expect(await renewal()).toBe('visitors are told another onion address');
    await lab.up(sites);
    expect(await renewal()).toBeUndefined();
    expect(await told()).toBe(`http://${hostname}/a%2Fb?c=%20`);
    const clients = [{ name: 'phone', key: 'A'.repeat(52) }];
    await write({ authorization: { clients, round: 1 }, visitor: 'A'.repeat(52) });
    await lab.up(sites);
    expect(await told()).toBeUndefined();
    await write({});
    await lab.up(SITES);
    expect(await told()).toBeUndefined();
  });
});

describe('a name that is taken away', () => {
  const handshake = ['GET /live HTTP/1.1', `Host: ${NAME}`, 'Connection: Upgrade', 'Upgrade: websocket'];
  const keys = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', ''];
  const pieces = [[...handshake, ...keys].join('\r\n'), ...Array.from({ length: 6 }, () => 'echo')];
  /** Echoes for three seconds, while `change` happens. */
  const during = async (change: () => Promise<unknown>) => {
    await lab.up(SITES);
    const lasting = lab.visit({ sni: NAME, send: pieces, pauseMs: 500, quietMs: 500 });
    const sessions = () => tellByHand(lab.machine.outside(paths.edgeSocket), 'show sess');
    await until(async () => / srv=shop\./.test(await sessions()) || undefined);
    await change();
    return lasting;
  };

  it('lets what is open finish', async () => {
    const { answer, isClosed } = await during(() => lab.up([ELECTRUM, WIKI]));
    expect(answer).toMatch(/(echo){6}$/);
    expect(isClosed).toBeUndefined();
    expect(await ask(get('/'))).toMatch(/^HTTP\/1\.1 421 /);
  });

  it('ends it at once where that is asked, also what a process that was replaced still holds, and nothing else', async () => {
    const { answer, isClosed } = await during(async () => {
      await lab.up([ELECTRUM, SHOP]);
      await lab.machine.sh('sh', '-c', 'kill -USR2 $(cat /run/gw-root/run/edge/pid)');
      await until(
        async () => (await lab.machine.sh('pgrep', '-x', 'haproxy')).split('\n').length > 2 || undefined,
      );
      await call('edge.cut', { service: 'wiki' }, signal());
      await lab.up([ELECTRUM, WIKI]);
      await call('edge.cut', { service: 'shop' }, signal());
    });
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer).not.toMatch(/(echo){6}$/);
    expect(isClosed).toBe(true);
    await lab.up(SITES);
    expect(await ask(get('/'))).toMatch(/^shop/m);
  });
});

describe('a name for devices alone', () => {
  it('lets nobody in who shows no certificate of a device', async () => {
    await lab.up([{ ...ELECTRUM, access: 'devices' }, { ...SHOP, access: 'devices' }, WIKI]);
    const [page, stream] = await lab.visitAll([
      { sni: NAME, send: [get('/')] },
      { sni: 'electrum.test', send: ['ping\r\n\r\n'] },
    ]);
    expect(page?.answer).toMatch(/^HTTP\/1\.1 403 [^]*Only devices/);
    expect(stream?.answer).toBe('');
    await lab.up(SITES);
    expect(await ask(get('/'))).toMatch(/^shop/m);
  });
});

describe('that a page is reached by https alone (HSTS)', () => {
  const heard = async (): Promise<string[]> =>
    [...(await ask(get('/'))).matchAll(/^strict-transport-security: (.*)\r$/gim)].map(
      ([, value = '']) => value,
    );

  it('is told to nobody before it was proved, whatever the service says', async () => {
    await lab.up(SITES);
    expect(await heard()).toEqual([]);
  });

  it('is told from then on, for longer the longer it has been so, without a reload', async () => {
    const pids = await lab.machine.sh('pgrep', '-x', 'haproxy');
    await call('edge.proved', { name: NAME }, signal());
    expect(await heard()).toEqual(['max-age=300']);
    const aged = JSON.stringify({ [NAME]: Date.now() - 25 * 3_600_000 });
    await writeFile(lab.machine.outside(`${paths.edgeState}/proved.json`), aged);
    await call('edge.proved', { name: NAME }, signal());
    expect(await heard()).toEqual(['max-age=604800']);
    expect(await lab.machine.sh('pgrep', '-x', 'haproxy')).toBe(pids);
    await lab.up([SHOP]);
    expect(await heard()).toEqual(['max-age=604800']);
  });

  it('is taken back when the owner says so, also from who was told before', async () => {
    await lab.up([{ ...SHOP, strict: 'off' }]);
    expect(await heard()).toEqual(['max-age=0']);
    await call('edge.proved', { name: NAME }, signal());
    expect(await heard()).toEqual(['max-age=0']);
  });

  it('has to be proved anew for a name that was away, and is never told of an address', async () => {
    await lab.up([WIKI]);
    await lab.up([SHOP]);
    expect(await heard()).toEqual([]);
    await lab.up([{ ...SHOP, domain: lab.address }]);
    await call('edge.proved', { name: lab.address }, signal());
    const map = await readFile(lab.machine.outside(`${paths.edgeState}/strict.map`), 'utf8');
    expect(map).not.toContain(lab.address);
    await expect(call('edge.proved', { name: 'evil.test' }, signal())).rejects.toMatchObject({
      code: 'HelperRefused',
    });
  });
});

describe('a service that is asked by HTTP/2, as gRPC is', () => {
  const CALLS: EdgeSite = {
    ...SHOP,
    service: 'calls',
    domain: 'calls.test',
    backend: 'h2c',
    to: { host: '10.64.1.7', port: 50051 },
  };

  beforeAll(async () => {
    await lab.addService('calls', CALLS.to.host, CALLS.to.port);
    const argv = ['nsenter', '--net=/run/netns/gw-calls', process.execPath, GRPC, '50051'] as const;
    const server = lab.machine.start(...argv);
    await once(server.stdout ?? server, 'data');
    await lab.up([CALLS]);
    await give('calls.test', (await selfSigned(['calls.test'])).pem);
  });

  it('answers while it is still being asked, and says how it went after the last byte', async () => {
    const seen = await lab.visit({
      sni: 'calls.test',
      alpn: ['h2'],
      http2: { ':method': 'POST', ':path': '/shop.Orders/Watch', te: 'trailers' },
      send: ['one', 'two'],
      pauseMs: 300,
    });
    expect(seen.headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
    expect(seen.answer).toBe('/shop.Orders/Watch te trailers for 11.0.0.2\necho one\necho two\n');
    expect(seen.trailers).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'done' });
  });

  it('is there for who speaks HTTP/1.1 as well', async () => {
    const heard = await ask(get('/plain').replace(NAME, 'calls.test'), 'calls.test');
    expect(heard).toMatch(/^HTTP\/1\.1 200 [^]*\/plain te {2}for 11\.0\.0\.2/);
  });
});
