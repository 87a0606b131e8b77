import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EdgeSite } from '../../src/core/operations.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { until } from '../support/machine.ts';
import { tellByHand } from '../support/edge-by-hand.ts';
import { ELECTRUM, selfSigned, SHOP, startWebLabWith, WIKI, type WebLab } from '../support/web-lab.ts';

/** A real HAProxy under a real helper, real services behind a hub, and visitors that speak with raw sockets. */
let lab: WebLab;
let shown: string;
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
  const { pem, fingerprint } = await selfSigned([NAME]);
  shown = fingerprint;
  await give(NAME, pem);
});
afterAll(async () => {
  await lab.stop();
});

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, `Host: ${NAME}`, 'Connection: close', ...headers, '', ''].join('\r\n');
const withHost = (host: string): string => get('/').replace(NAME, host);

/** What the visitor hears; what the service heard is in the body. */
async function ask(request: string, sni = NAME): Promise<string> {
  return (await lab.visit({ sni, send: [request] })).answer;
}

describe('a web name', () => {
  it('brings a visitor to its service by TLS, and says whom it brings', async () => {
    const seen = await lab.visit({ sni: NAME, send: [get('/a')] });
    expect(seen).toMatchObject({ fingerprint: shown, alpn: 'http/1.1' });
    expect(seen.answer).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(seen.answer).toMatch(/^shop \+ 0 bytes/m);
    expect(seen.answer).toMatch(/^x-forwarded-for: 11\.0\.0\.2\r$/im);
    expect(seen.answer).toMatch(/^x-forwarded-proto: https\r$/im);
  });

  it('speaks HTTP/2', async () => {
    const seen = await lab.visit({ sni: NAME, alpn: ['h2'], http2: { ':path': '/b?c=%20' } });
    expect(seen.headers).toMatchObject({ ':status': 200 });
    expect(seen.answer).toMatch(/^GET \/b\?c=%20 HTTP\/1\.1\r$/m);
    expect(seen.answer).toMatch(/^host: pay\.shop\.test\r$/im);
  });

  it('takes a WebSocket, in both directions', async () => {
    const handshake = [
      'GET /live HTTP/1.1',
      `Host: ${NAME}`,
      'Connection: keep-alive, Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
      '',
      '',
    ].join('\r\n');
    const { answer } = await lab.visit({ sni: NAME, send: [handshake, 'ping', 'pong'], pauseMs: 200 });
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer).toMatch(/\r\n\r\npingpong$/);
  });

  it('takes a WebSocket by HTTP/2 (RFC 8441), as browsers open one on a connection that they have', async () => {
    const connect = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/live' };
    const http2 = { ...connect, ':authority': NAME, 'sec-websocket-version': '13' };
    const seen = await lab.visit({ sni: NAME, alpn: ['h2'], http2, send: ['ping', 'pong'] });
    expect(seen).toMatchObject({ answer: 'pingpong', headers: { ':status': 200 } });
  });

  it('ends TLS for a service that speaks no HTTP', async () => {
    const { pem, fingerprint } = await selfSigned(['electrum.test']);
    await give('electrum.test', pem);
    const seen = await lab.visit({ sni: 'electrum.test', send: ['{"method": "ping"}\r\n\r\n'] });
    expect(seen.fingerprint).toBe(fingerprint);
    expect(seen.answer).toMatch(/electrum \+ 0 bytes\r\n\{"method": "ping"\}\r\n$/);
  });

  it('is found in a first message that comes in two packets, as those with post-quantum keys do', async () => {
    const [shop, electrum] = await lab.visitAll([
      { sni: NAME, helloMs: 300, send: [get('/')] },
      { sni: 'electrum.test', helloMs: 300, send: ['ping\r\n\r\n'] },
    ]);
    expect(shop?.answer).toMatch(/^shop \+ 0 bytes/m);
    expect(electrum?.answer).toMatch(/electrum \+ 0 bytes\r\nping\r\n$/);
  });

  it('takes an upload of any size, and passes on what a service says before it is done', async () => {
    const head = get('/up', 'Content-Length: 40000000').replace('GET', 'POST');
    const [upload, stream] = await lab.visitAll([
      { sni: NAME, send: [head], upload: 40_000_000, quietMs: 10_000 },
      { sni: NAME, send: [get('/stream')] },
    ]);
    expect(upload?.answer).toMatch(/^shop \+ 40000000 bytes/m);
    expect(stream?.answer).toMatch(/first\r\n$/);
  });

  it('sends a visitor without TLS on to it, with the path as it is', async () => {
    const { answer } = await lab.visit({ send: [get('/a%2Fb//c?d=%20')] });
    expect(answer).toMatch(/^HTTP\/1\.1 308 /);
    expect(answer).toMatch(/^location: https:\/\/pay\.shop\.test\/a%2Fb\/\/c\?d=%20\r$/im);
  });

  it('sends nobody on to a name that is not ours', async () => {
    expect((await lab.visit({ send: [withHost('evil.test')] })).answer).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe('a certificate', () => {
  it('is shown to nobody who asks for a name that has none, or for no name', async () => {
    const snis = ['other.test', 'wiki.test', ''];
    const seen = await lab.visitAll(snis.map((sni) => ({ sni, send: [withHost(sni)] })));
    expect(seen).toMatchObject(snis.map(() => ({ answer: '', error: 'alert' })));
  });

  it('is replaced without a reload, and is there after kill -9', async () => {
    const pids = await lab.machine.sh('pgrep', '-x', 'haproxy');
    const { pem, fingerprint } = await selfSigned([NAME]);
    await give(NAME, pem);
    expect(await lab.visit({ sni: NAME, send: [get('/')] })).toMatchObject({ fingerprint });
    expect(await lab.machine.sh('pgrep', '-x', 'haproxy')).toBe(pids);
    expect((await call('edge.observe', {}, signal())).certificates).toContainEqual({
      name: NAME,
      fingerprint,
    });
    await lab.machine.sh('pkill', '-KILL', '-x', 'haproxy');
    await until(async () => ((await call('edge.observe', {}, signal())).running ? undefined : true));
    await lab.up(SITES);
    expect(await lab.visit({ sni: NAME, send: [get('/')] })).toMatchObject({ fingerprint });
  });

  it('that HAProxy cannot use is refused, and the one before stays', async () => {
    const { fingerprint } = await lab.visit({ sni: NAME, send: [get('/')] });
    const [one, other] = await Promise.all([selfSigned([NAME]), selfSigned([NAME])]);
    const key = other.pem.slice(other.pem.indexOf('-----BEGIN PRIVATE'));
    const mixed = one.pem.slice(0, one.pem.indexOf('-----BEGIN PRIVATE')) + key;
    await expect(give(NAME, mixed)).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringMatching(
        /cannot use the certificate of pay\.shop\.test, so the one before stays/,
      ),
    });
    expect((await lab.visit({ sni: NAME, send: [get('/')] })).fingerprint).toBe(fingerprint);
  });

  it.each([
    ['itself', (pem: string) => pem.replace(/[A-Za-z]{9}/g, 'AAAAAAAAA')],
    ['in its chain', (pem: string) => `${pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`],
  ])("that is damaged on disk, %s, is in no other name's way", async (_where, damage) => {
    const { pem, fingerprint } = await selfSigned(['wiki.test']);
    await give('wiki.test', pem);
    const file = lab.machine.outside(`${paths.edgeState}/certificates/wiki.test.pem`);
    await writeFile(file, damage(pem));
    await lab.machine.sh('pkill', '-KILL', '-x', 'haproxy');
    await until(async () => ((await call('edge.observe', {}, signal())).running ? undefined : true));
    await lab.up(SITES);
    expect(await ask(get('/'))).toMatch(/^shop/m);
    expect(await lab.visit({ sni: 'wiki.test' })).toMatchObject({ error: 'alert' });
    const { certificates } = await call('edge.observe', {}, signal());
    expect(certificates.map(({ name }) => name)).not.toContain('wiki.test');
    await give('wiki.test', pem);
    expect(await lab.visit({ sni: 'wiki.test' })).toMatchObject({ fingerprint });
    await call('edge.certificate.remove', { name: 'wiki.test' }, signal());
  });

  it('that was deleted by hand is missed, and is shown again when it is given again', async () => {
    const file = lab.machine.outside(`${paths.edgeState}/certificates/${NAME}.pem`);
    const pem = await readFile(file, 'utf8');
    await rm(file);
    const missed = await call('edge.observe', {}, signal());
    expect(missed.certificates.map(({ name }) => name)).not.toContain(NAME);
    expect(missed.renew).toBe('files of HAProxy were changed by hand');
    await give(NAME, pem);
    const back = await call('edge.observe', {}, signal());
    expect(back.certificates.map(({ name }) => name)).toContain(NAME);
    expect(back.renew).toBeUndefined();
    const socket = lab.machine.outside(paths.edgeSocket);
    await tellByHand(socket, `del ssl crt-list certificates.list certificates/${NAME}.pem`);
    const gone = await call('edge.observe', {}, signal());
    expect(gone.certificates.map(({ name }) => name)).not.toContain(NAME);
    expect(await lab.visit({ sni: NAME })).toMatchObject({ error: 'alert' });
    await give(NAME, pem);
    expect(await ask(get('/'))).toMatch(/^shop/m);
  });

  it('is taken for no other name than those of the config', async () => {
    const { pem } = await selfSigned(['evil.test']);
    await expect(give('evil.test', pem)).rejects.toMatchObject({ code: 'HelperRefused' });
  });

  it('of every name below one is shown to those names', async () => {
    const { pem, fingerprint } = await selfSigned(['*.shop.test']);
    const before = await lab.visit({ sni: NAME, send: [get('/')] });
    await give('*.shop.test', pem);
    expect((await lab.visit({ sni: NAME, send: [get('/')] })).fingerprint).toBe(before.fingerprint);
    const other = await lab.visit({ sni: 'other.shop.test', send: [withHost('other.shop.test')] });
    expect(other.fingerprint).toBe(fingerprint);
    expect(other.answer).toMatch(/^HTTP\/1\.1 421 /);
    await call('edge.certificate.remove', { name: '*.shop.test' }, signal());
    expect(await lab.visit({ sni: 'other.shop.test' })).toMatchObject({ answer: '', error: 'alert' });
  });
});

describe('an address as a name', () => {
  it('is shown its certificate by visitors who say no name', async () => {
    const site: EdgeSite = { ...WIKI, domain: lab.address };
    await lab.up([site, SHOP]);
    const { pem, fingerprint } = await selfSigned([lab.address]);
    await give(lab.address, pem);
    const seen = await lab.visit({ sni: '', send: [withHost(lab.address)] });
    expect(seen.fingerprint).toBe(fingerprint);
    expect(seen.answer).toMatch(/^wiki \+ 0 bytes/m);
    expect(await ask(withHost(NAME), '')).toMatch(/^HTTP\/1\.1 421 /);
    expect(await ask(get('/'))).toMatch(/^shop \+ 0 bytes/m);
    const late = await lab.visit({ sni: NAME, helloMs: 300, send: [get('/')] });
    expect(late.answer).toMatch(/^shop \+ 0 bytes/m);
    const next = await selfSigned([lab.address]);
    await give(lab.address, next.pem);
    const again = await lab.visit({ sni: '', send: [withHost(lab.address)] });
    expect(again.fingerprint).toBe(next.fingerprint);
    await call('edge.certificate.remove', { name: lab.address }, signal());
    await lab.up(SITES);
    expect(await lab.visit({ sni: '', send: [get('/')] })).toMatchObject({ error: 'alert' });
  });
});

describe('a challenge', () => {
  const ask80 = async (host: string, token: string): Promise<string> => {
    const request = get(`/.well-known/acme-challenge/${token}`).replace(NAME, host);
    return (await lab.visit({ send: [request] })).answer;
  };
  const CHALLENGE = { type: 'http-01', name: NAME, token: 'tok_en-1' } as const;

  it('is answered for its name and token alone, never by a service', async () => {
    await call('edge.challenge', { ...CHALLENGE, response: 'tok_en-1.abc' }, signal());
    expect(await ask80(NAME, 'tok_en-1')).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\ntok_en-1\.abc$/);
    expect(await ask80(`${NAME}:80`, 'tok_en-1')).toMatch(/^HTTP\/1\.1 200 /);
    const strange = [
      ['wiki.test', 'tok_en-1'],
      [NAME, 'tok_en-2'],
      [NAME, 'tok_en-1/'],
      [NAME, ''],
      [NAME, '../../'],
    ] as const;
    for (const heard of await Promise.all(strange.map(([host, token]) => ask80(host, token)))) {
      expect(heard).toMatch(/^HTTP\/1\.1 404 /);
    }
    await lab.up([SHOP]);
    expect(await ask80(NAME, 'tok_en-1')).toMatch(/^HTTP\/1\.1 200 /);
    await lab.up(SITES);
    await call('edge.challenge.remove', CHALLENGE, signal());
    expect(await ask80(NAME, 'tok_en-1')).toMatch(/^HTTP\/1\.1 404 /);
    await call('edge.challenge.remove', CHALLENGE, signal());
  });

  it('by TLS is answered to acme-tls/1 alone', async () => {
    const { pem, fingerprint } = await selfSigned([NAME]);
    const { fingerprint: usual } = await lab.visit({ sni: NAME, send: [get('/')] });
    await call('edge.challenge', { type: 'tls-alpn-01', name: NAME, pem }, signal());
    const checked = await lab.visit({ sni: NAME, alpn: ['acme-tls/1'] });
    expect(checked).toMatchObject({ alpn: 'acme-tls/1', fingerprint, answer: '' });
    expect((await lab.visit({ sni: NAME, send: [get('/')] })).fingerprint).toBe(usual);
    await lab.up([SHOP]);
    expect(await lab.visit({ sni: NAME, alpn: ['acme-tls/1'] })).toMatchObject({ fingerprint });
    await lab.up(SITES);
    await call('edge.challenge.remove', { type: 'tls-alpn-01', name: NAME }, signal());
    expect(await lab.visit({ sni: NAME, alpn: ['acme-tls/1'] })).toMatchObject({ error: 'alert' });
  });
});

describe('on this machine', () => {
  beforeEach(() => lab.up(SITES));

  it('nobody else can speak for visitors: the sockets in between are in a directory of HAProxy alone', async () => {
    const listed = await lab.machine.sh('ls', '-la', paths.edgeRun);
    expect(listed).toMatch(/^drwx------ .* \.$/m);
    expect(listed).toMatch(/^srw------- .* tls\.sock$/m);
    expect(await lab.machine.sh('cat', '/proc/net/unix')).not.toMatch(/@.*haproxy|@.*gateway/);
  });

  it('a private key is for HAProxy alone', async () => {
    const file = `${paths.edgeState}/certificates/${NAME}.pem`;
    expect(await lab.machine.sh('stat', '-c', '%a %U %G', file)).toMatch(/^640 root (gateway-edge|root)$/);
    expect(await readFile(lab.machine.outside(`${paths.edgeState}/haproxy.cfg`), 'utf8')).not.toMatch(
      /PRIVATE/,
    );
  });
});
