import { X509Certificate } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EdgeClient, EdgeSite, OperationArguments, OperationName } from '../../src/core/operations.ts';
import { DeviceLinks } from '../../src/daemon/device-links.ts';
import {
  authorityCertificate,
  clientCertificate,
  type ClientCertificate,
} from '../../src/system/client-certificate/authority.ts';
import { pkcs12 } from '../../src/system/client-certificate/pkcs12.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { until } from '../support/machine.ts';
import { selfSigned, SHOP, startWebLabWith, WIKI, type WebLab } from '../support/web-lab.ts';

/** Pages for devices alone: a real HAProxy, certificates that the gateway makes, and stock clients that show them. */
let lab: WebLab;
const paths = pathsOf(directoriesIn('/run/gw-root'));
const NAME = SHOP.domain;
const FOR_DEVICES: EdgeSite = { ...SHOP, access: 'devices' };
const SITES = [FOR_DEVICES, WIKI];

const secret = nodeCrypto.p256Secret();
const authority = authorityCertificate(secret, Date.now());
const issue = (name: string) => clientCertificate(name, secret, Date.now());
const [phone, laptop, stranger] = [issue('phone'), issue('laptop'), issue('stranger')];
const clientOf = (name: string, { fingerprint }: ClientCertificate): EdgeClient => {
  return { name, fingerprint, services: ['shop'] };
};
const CLIENTS = [clientOf('phone', phone), clientOf('laptop', laptop)];
const DEVICES = { authority, clients: CLIENTS };
const shown = ({ certificate, key }: ClientCertificate) => ({
  cert: new X509Certificate(certificate).toString(),
  key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
});

const call = <Name extends OperationName>(name: Name, input: OperationArguments<Name>) =>
  lab.gateway.helper.call(name, input, AbortSignal.timeout(15_000));
const letIn = async (...clients: EdgeClient[]) => {
  for (const client of clients) await call('edge.client', { client });
};

beforeAll(async () => {
  lab = await startWebLabWith(SHOP, WIKI);
  await lab.up(SITES, DEVICES);
  await lab.give(NAME, (await selfSigned([NAME])).pem);
  await lab.give(WIKI.domain, (await selfSigned([WIKI.domain])).pem);
  await letIn(...CLIENTS);
  for (const [name, one] of Object.entries({ phone, stranger })) {
    await writeFile(lab.machine.outside(`/run/${name}.p12`), pkcs12(name, one, 'password'));
  }
});
afterAll(() => lab.stop());

const get = (path: string, host = NAME): string =>
  [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', '', ''].join('\r\n');

/** curl at the visitor: what it prints, and its last line is the status. */
function curl(...words: string[]): Promise<string> {
  const resolve = [NAME, WIKI.domain].flatMap((name) => ['--resolve', `${name}:443:${lab.address}`]);
  const plain = ['--resolve', `${NAME}:80:${lab.address}`, '-w', '\n%{http_code}'];
  const visitor = ['nsenter', '--net=/run/netns/visitor'] as const;
  return lab.machine.sh(...visitor, 'curl', '-sk', '--max-time', '5', ...resolve, ...plain, ...words);
}
const withFile = (name: string): string[] => ['--cert-type', 'P12', '--cert', `/run/${name}.p12:password`];

describe('a page for devices', () => {
  it('opens for a stock client with the file that its device was given', async () => {
    const answer = await curl(...withFile('phone'), `https://${NAME}/cart`);
    expect(answer).toMatch(/^shop \+ 0 bytes[^]*\n200$/);
    expect(await curl('--http1.1', '--tls-max', '1.2', ...withFile('phone'), `https://${NAME}/`)).toMatch(
      /\n200$/,
    );
  });

  it('says to everybody else what to do: without a certificate, with one of another device, of anybody', async () => {
    const own = await selfSigned(['phone']);
    const [cert, key] = own.pem.split(/(?=-----BEGIN [A-Z ]*PRIVATE KEY)/);
    const visits = await lab.visitAll([
      { sni: NAME, send: [get('/')] },
      { sni: NAME, send: [get('/')], client: shown(stranger) },
      { sni: NAME, send: [get('/')], client: { cert: cert ?? '', key: key ?? '' } },
      { sni: NAME, send: [get('/.well-known/gateway-device/../')] },
      { sni: NAME, send: [get(`/.well-known/gateway-device/${'A'.repeat(22)}/x`)] },
    ]);
    for (const { answer } of visits) {
      expect(answer).toMatch(/^HTTP\/1\.1 403 [^]*Only devices that were added[^]*ask whoever runs/);
      expect(answer).not.toMatch(/shop \+|<script/);
    }
    expect(await curl(...withFile('stranger'), `https://${NAME}/`)).toMatch(/\n403$/);
  });

  it('asks nobody for a certificate at other pages, and lets no other name in by its own', async () => {
    const [wiki, ...others] = await lab.visitAll([
      { sni: WIKI.domain, send: [get('/', WIKI.domain)] },
      { sni: WIKI.domain, send: [get('/')], client: shown(phone) },
      { sni: NAME, send: [get('/', WIKI.domain)], client: shown(phone) },
    ]);
    expect(wiki?.answer).toMatch(/^wiki \+/m);
    for (const { answer } of others) expect(answer).toMatch(/^HTTP\/1\.1 421 /);
    // On one connection, after a request that was right.
    const polite = get('/', WIKI.domain).replace('Connection: close\r\n', '');
    const { answer } = await lab.visit({ sni: WIKI.domain, send: [polite, get('/')], pauseMs: 200 });
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*wiki \+[^]*HTTP\/1\.1 421 /);
    expect(answer).not.toMatch(/shop \+/);
    const authorityOf = { ':path': '/', ':authority': NAME };
    const [crossed, direct] = await lab.visitAll([
      { sni: WIKI.domain, alpn: ['h2'], http2: authorityOf, client: shown(phone) },
      { sni: NAME, alpn: ['h2'], http2: authorityOf, client: shown(phone) },
    ]);
    expect(crossed?.headers).toMatchObject({ ':status': 421 });
    expect(direct?.headers).toMatchObject({ ':status': 200 });
  });
});

describe('files of HAProxy that somebody damaged', () => {
  it.each(['', 'garbage\n'])('let nobody in (%j), and are mended', async (content) => {
    for (const name of ['devices-authority.pem', 'devices.map', 'clients.map']) {
      await writeFile(lab.machine.outside(join(paths.edgeState, name)), content);
    }
    await lab.machine.sh('pkill', '-KILL', '-x', 'haproxy');
    await call('edge.load', {});
    const visit = { sni: NAME, send: [get('/')] };
    for (const { answer } of await lab.visitAll([visit, { ...visit, client: shown(stranger) }])) {
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    }
    expect((await call('edge.observe', {})).clients).toEqual([]);
    await letIn(...CLIENTS);
    expect(await curl(...withFile('phone'), `https://${NAME}/`)).toMatch(/\n200$/);
  });
});

describe("a Lightning node's wallet", () => {
  const NODE: EdgeSite = {
    ...FOR_DEVICES,
    service: 'lnd',
    domain: 'lnd.test',
    speaksTls: true,
    guard: 'wallet',
    to: { host: '10.64.1.5', port: 8081 },
  };
  const clients: EdgeClient[] = [
    { name: 'phone', fingerprint: phone.fingerprint, services: ['lnd'], unlocks: ['lnd'] },
    { name: 'laptop', fingerprint: laptop.fingerprint, services: ['lnd'] },
  ];
  const unlock = { sni: NODE.domain, send: [get('/v1/unlockwallet', NODE.domain)] };

  it('is opened by a device that was given the right, and by no other', async () => {
    const { pem } = await selfSigned([NODE.domain]);
    await lab.addService('lnd', NODE.to.host, NODE.to.port);
    await lab.serve('lnd', NODE.to.port, pem);
    await lab.up([...SITES, NODE], { authority, clients });
    await lab.give(NODE.domain, pem);
    await letIn(...clients);
    expect((await call('edge.observe', {})).clients).toEqual(clients.toReversed());
    const [may, mayNot, usual, nobody] = await lab.visitAll([
      { ...unlock, client: shown(phone) },
      { ...unlock, client: shown(laptop) },
      { sni: NODE.domain, send: [get('/v1/getinfo', NODE.domain)], client: shown(laptop) },
      unlock,
    ]);
    expect(may?.answer).toMatch(/^lnd \+ 0 bytes\r\nGET \/v1\/unlockwallet/m);
    expect(mayNot?.answer).toMatch(/^HTTP\/1\.1 403 [^]*The wallet cannot be opened from here/);
    expect(usual?.answer).toMatch(/^lnd \+ 0 bytes/m);
    expect(nobody?.answer).toMatch(/^HTTP\/1\.1 403 [^]*Only devices/);
    // Where everybody is let in nobody is asked for a certificate, so nobody may.
    await lab.up([...SITES, { ...NODE, access: 'anyone' }], { authority, clients });
    const [open] = await lab.visitAll([{ ...unlock, client: shown(phone) }]);
    expect(open?.answer).toMatch(/^HTTP\/1\.1 403 [^]*The wallet cannot be opened from here/);
  });
});

describe('a device that is revoked', () => {
  beforeAll(async () => {
    await lab.up(SITES, DEVICES);
    await letIn(...CLIENTS);
  });

  const handshake = ['GET /live HTTP/1.1', `Host: ${NAME}`, 'Connection: Upgrade', 'Upgrade: websocket'];
  const keys = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', ''];
  const pieces = [[...handshake, ...keys].join('\r\n'), ...Array.from({ length: 6 }, () => 'echo')];
  const openIn = async (): Promise<number> => {
    const argv = ['ip', 'netns', 'exec', 'gw-shop', 'ss', '-Htn', 'state', 'established'] as const;
    return (await lab.machine.sh(...argv)).split('\n').filter((line) => line.includes(':8080')).length;
  };
  const open = (one: ClientCertificate) =>
    lab.visit({ sni: NAME, send: pieces, pauseMs: 300, quietMs: 500, client: shown(one) });

  it('loses what it has open at once, also in a process that was replaced; others keep theirs', async () => {
    const [old, other] = [open(phone), open(laptop)];
    await until(async () => (await openIn()) >= 2 || undefined);
    // What is open stays with the process that is replaced now: the master has two workers then.
    const processes = async (): Promise<string[]> =>
      (await lab.machine.sh('pgrep', '-x', 'haproxy')).split('\n');
    await lab.machine.sh('pkill', '-USR2', '-o', '-x', 'haproxy');
    await until(async () => (await processes()).length > 2 || undefined);
    await call('edge.client.remove', { name: 'phone' });
    const [lost, kept] = await Promise.all([old, other]);
    expect(lost.answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(lost).toMatchObject({ isClosed: true });
    expect(lost.answer).not.toMatch(/(echo){6}$/);
    expect(kept.answer).toMatch(/(echo){6}$/);
    expect((await call('edge.observe', {})).clients).toEqual([CLIENTS[1]]);
    expect(await curl(...withFile('phone'), `https://${NAME}/`)).toMatch(/\n403$/);
    await lab.up(SITES, DEVICES);
    expect(await curl(...withFile('phone'), `https://${NAME}/`)).toMatch(/\n403$/);
  });

  it.each(['-tls1_2', '-tls1_3'])(
    'is not brought back by a session that it resumes (%s)',
    async (version) => {
      await letIn(...CLIENTS);
      await writeFile(lab.machine.outside('/run/phone.pem'), Object.values(shown(phone)).join(''));
      const ask = (...words: string[]): Promise<string> => {
        const to = ['-connect', `${lab.address}:443`, '-servername', NAME, version, ...words].join(' ');
        const request = `printf 'GET / HTTP/1.1\\r\\nHost: ${NAME}\\r\\n\\r\\n'; sleep 0.5`;
        const line = `(${request}) | openssl s_client ${to} 2>&1`;
        return lab.machine.sh('nsenter', '--net=/run/netns/visitor', 'dash', '-c', line);
      };
      const first = await ask('-cert /run/phone.pem', '-sess_out /run/session');
      expect(first).toMatch(/HTTP\/1\.1 200 /);
      // The session alone is as good as the certificate, for as long as the device may come in.
      expect(await ask('-sess_in /run/session')).toMatch(/Reused, TLS[^]*HTTP\/1\.1 200 /);
      await call('edge.client.remove', { name: 'phone' });
      expect(await ask('-sess_in /run/session')).toMatch(/Reused, TLS[^]*HTTP\/1\.1 403 /);
    },
  );
});

describe('the link to a certificate', () => {
  const events: string[] = [];
  let now = Date.now();
  let links: DeviceLinks;
  const make = async (): Promise<string> => {
    const file = Buffer.from(pkcs12('phone', phone, 'password')).toString('base64');
    const device = { name: 'phone', services: ['shop'], addedAt: '', certificate: phone.fingerprint };
    const handouts = await links.add(device, [
      { kind: 'client-certificate', label: '', file: 'phone.p12', secret: true, text: file },
      { kind: 'link', label: '', file: '', secret: false, text: `https://${NAME}` },
    ]);
    return handouts.find(({ kind }) => kind === 'client-certificate-link')?.text ?? '';
  };

  beforeAll(() => {
    links = new DeviceLinks({
      socket: lab.machine.outside(paths.handoutSocket),
      crypto: nodeCrypto,
      now: () => now,
      record: (type, message) => void events.push(`${type}: ${message}`),
      log: () => undefined,
    });
  });
  afterAll(() => links.close());

  it('leads to a socket that HAProxy alone can reach', async () => {
    await make();
    const { mode, gid } = await stat(lab.machine.outside(paths.handoutRun));
    expect((mode & 0o777).toString(8)).toBe('710');
    if (process.getuid?.() === 0) expect(gid).toBe(972);
  });

  it('shows a page, and hands the file out once', async () => {
    const link = await make();
    expect(link).toMatch(/^https:\/\/pay\.shop\.test\/\.well-known\/gateway-device\/[A-Za-z0-9_-]{22}$/);
    // What a chat or mail program opens uses nothing up.
    for (let seen = 0; seen < 2; seen += 1) expect(await curl(link)).toMatch(/<form method=post>[^]*\n200$/);
    const cookies = ['-c', '/run/cookies', '-b', '/run/cookies'];
    expect(await curl('-X', 'POST', '-o', '/run/fetched.p12', ...cookies, link)).toBe('200');
    await letIn(...CLIENTS);
    expect(await curl(...withFile('fetched'), `https://${NAME}/`)).toMatch(/^shop \+[^]*\n200$/);
    // Who took it may have it again, also by another program that has its cookies, and nobody else.
    expect(await curl('-o', '/run/again.p12', ...cookies, link)).toBe('200');
    const files = ['/run/fetched.p12', '/run/again.p12'].map((file) => readFile(lab.machine.outside(file)));
    expect(new Set((await Promise.all(files)).map((file) => file.toString('hex'))).size).toBe(1);
    const cookie = await readFile(lab.machine.outside('/run/cookies'), 'utf8');
    expect(cookie).toMatch(/\tTRUE\t\d+\t__Secure-gateway-device\t/);
    expect(cookie).toContain(`\t${new URL(link).pathname}\t`);
    expect(await curl('-X', 'POST', link)).toMatch(/Used already[^]*phone must be revoked[^]*\n410$/);
    expect(events).toEqual([
      'device.fetched: phone fetched its certificate, from 11.0.0.2',
      expect.stringMatching(
        /^device\.linkRefused: somebody at 11\.0\.0\.2 asked for .* phone .* was used at/,
      ),
    ]);
  });

  it('works for fifteen minutes, at its own page, and never without encryption', async () => {
    const link = await make();
    expect(await curl('-X', 'POST', link.replace('https:', 'http:'))).toMatch(
      /works with https alone[^]*\n403$/,
    );
    expect(await curl('-X', 'POST', link.replace(NAME, WIKI.domain))).not.toMatch(/phone/);
    now += 16 * 60_000;
    expect(await curl('-X', 'POST', link)).toMatch(/The time of this link is over[^]*\n410$/);
    const revoked = await make();
    links.drop(phone.fingerprint);
    expect(await curl('-X', 'POST', revoked)).toMatch(/link is over[^]*\n410$/);
  });

  it('is not found by trying', async () => {
    now += 60_000;
    const guess = `https://${NAME}/.well-known/gateway-device/${'A'.repeat(22)}`;
    const statuses: string[] = [];
    for (let tried = 0; tried < 12; tried += 1) statuses.push((await curl(guess)).split('\n').at(-1) ?? '');
    expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => '404'));
    expect(statuses.slice(10)).toEqual(['429', '429']);
    // Whoever has one that works is not kept from it.
    expect(await curl(await make())).toMatch(/\n200$/);
  });

  it('says that it cannot be fetched while the daemon does not run', async () => {
    const link = await make();
    await links.close();
    expect(await curl(link)).toMatch(/<h1>[^]*\n503$/);
  });
});
