import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EdgeSite } from '../../src/core/operations.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { tellByHand } from '../support/edge-by-hand.ts';
import { until } from '../support/machine.ts';
import { ELECTRUM, selfSigned, SHOP, startWebLabWith, WIKI, type WebLab } from '../support/web-lab.ts';

/** Names and services that come, change and go while a real HAProxy runs, and visitors of the others. */
let lab: WebLab;
const SITES = [ELECTRUM, SHOP, WIKI];
const paths = pathsOf(directoriesIn('/run/gw-root'));
const signal = (): AbortSignal => AbortSignal.timeout(15_000);

const observe = () => lab.gateway.helper.call('edge.observe', {}, signal());
const pids = (): Promise<string> => lab.machine.sh('pgrep', '-x', 'haproxy');
const request = (host: string, ...headers: string[]): string =>
  ['GET /a HTTP/1.1', `Host: ${host}`, ...headers, '', ''].join('\r\n');
const visitOf = ({ domain }: EdgeSite) => ({
  sni: domain,
  send: [domain === ELECTRUM.domain ? 'ping\r\n\r\n' : request(domain, 'Connection: close')],
});
const ask = async (site: EdgeSite): Promise<string> => (await lab.visit(visitOf(site))).answer;

const byHand = (command: string): Promise<string> =>
  tellByHand(lab.machine.outside(paths.edgeSocket), command);

async function serverOf(service: string): Promise<string> {
  const state = await byHand('show servers state');
  const found = state.split('\n').find((line) => line.split(' ')[3]?.startsWith(`${service}.`)) ?? '';
  const [, backend, , name] = found.split(' ');
  return `${backend}/${name}`;
}

beforeAll(async () => {
  lab = await startWebLabWith(...SITES);
  await lab.serve('wiki', 8081);
  await lab.up(SITES);
  for (const { domain } of SITES) await lab.give(domain, (await selfSigned([domain])).pem);
});
afterAll(async () => {
  await lab.stop();
});
beforeEach(() => lab.up(SITES));

describe('without a reload', () => {
  it('a name comes, is answered, and goes, also for a visitor who stays connected', async () => {
    await lab.up([SHOP]);
    const before = await pids();
    const pieces = [request(SHOP.domain), ...Array.from({ length: 5 }, () => request(SHOP.domain))];
    const staying = lab.visit({ sni: SHOP.domain, send: pieces, pauseMs: 600, quietMs: 1000 });
    await lab.up(SITES);
    const [shop, wiki, electrum] = await lab.visitAll([SHOP, WIKI, ELECTRUM].map(visitOf));
    expect(shop?.answer).toMatch(/^shop \+ 0 bytes/m);
    expect(wiki?.answer).toMatch(/^wiki \+ 0 bytes/m);
    expect(electrum?.answer).toMatch(/^electrum \+ 0 bytes/m);
    await lab.up([WIKI]);
    expect(await ask(SHOP)).toMatch(/^HTTP\/1\.1 421 /);
    expect(await ask(ELECTRUM)).not.toMatch(/electrum/);
    const { answer } = await staying;
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 421 /);
    expect(await pids()).toBe(before);
    expect(await observe()).not.toHaveProperty('renew');
  });

  it('a service moves, and a name becomes that of another service', async () => {
    const before = await pids();
    const moved = { ...WIKI, to: { ...WIKI.to, port: 8081 } };
    await lab.addService('wiki', moved.to.host, moved.to.port);
    await lab.up([ELECTRUM, SHOP, moved]);
    expect(await ask(WIKI)).toMatch(/^wiki \+ 0 bytes/m);
    const named = { ...SHOP, domain: WIKI.domain };
    await lab.up([ELECTRUM, SHOP, named]);
    expect(await ask(WIKI)).toMatch(/^shop \+ 0 bytes/m);
    await lab.addService('wiki', WIKI.to.host, WIKI.to.port);
    await lab.up(SITES);
    expect(await ask(WIKI)).toMatch(/^wiki \+ 0 bytes/m);
    expect(await pids()).toBe(before);
  });

  it('it is the same after kill -9', async () => {
    await lab.up([ELECTRUM, SHOP]);
    await lab.up(SITES);
    const { configHash } = await observe();
    await lab.machine.sh('pkill', '-KILL', '-x', 'haproxy');
    await until(async () => ((await observe()).running ? undefined : true));
    expect(await lab.up(SITES)).toMatchObject({ started: true });
    expect(await observe()).toMatchObject({ configHash, loadedHash: configHash });
    expect(await ask(WIKI)).toMatch(/^wiki \+ 0 bytes/m);
    expect(await ask(SHOP)).toMatch(/^shop \+ 0 bytes/m);
  });
});

describe('pages alone', () => {
  const publicDoor = async (): Promise<string> => {
    const text = await readFile(lab.machine.outside(`${paths.edgeState}/haproxy.cfg`), 'utf8');
    return /^frontend gateway\.https\n(.*\n)*?$/m.exec(text)?.[0] ?? '';
  };

  it('are answered where visitors come in, until somebody must be told from them', async () => {
    await lab.gateway.helper.call('edge.stop', {}, signal());
    await lab.up([SHOP, WIKI]);
    expect(await publicDoor()).toMatch(/ strict-sni /);
    const foreign = { sni: SHOP.domain, send: [request('other.test')] };
    const [shop, wiki, mixed, unknown] = await lab.visitAll([
      visitOf(SHOP),
      visitOf(WIKI),
      foreign,
      { sni: 'other.test' },
    ]);
    expect(shop?.answer).toMatch(/^shop \+ 0 bytes[^]*^x-forwarded-for: 11\.0\.0\.2\r$/im);
    expect(wiki?.answer).toMatch(/^wiki \+ 0 bytes/m);
    expect(mixed?.answer).toMatch(/^HTTP\/1\.1 421 /);
    expect(unknown).toMatchObject({ answer: '', error: 'alert' });
    const { pem, fingerprint } = await selfSigned([SHOP.domain]);
    const challenge = { type: 'tls-alpn-01', name: SHOP.domain } as const;
    await lab.gateway.helper.call('edge.challenge', { ...challenge, pem }, signal());
    const checked = await lab.visit({ sni: SHOP.domain, alpn: ['acme-tls/1'] });
    expect(checked).toMatchObject({ alpn: 'acme-tls/1', fingerprint });
    expect(await ask(SHOP)).toMatch(/^shop \+ 0 bytes/m);
    await lab.gateway.helper.call('edge.challenge.remove', challenge, signal());
    const before = await pids();
    await lab.up(SITES);
    expect(await ask(ELECTRUM)).toMatch(/^electrum \+ 0 bytes/m);
    expect(await pids()).toBe(before);
    expect(await publicDoor()).not.toMatch(/ strict-sni /);
  });
});

describe('a visitor', () => {
  it('is brought to no other service when the one is not there in HAProxy, and what was changed by hand is mended', async () => {
    await byHand(`set server ${await serverOf('shop')} state maint`);
    expect(await ask(SHOP)).toMatch(/^HTTP\/1\.1 503 [^]*What is behind this page does not answer/);
    expect((await observe()).renew).toMatch(/^its server shop\.\w+ was changed by hand$/);
    await lab.up(SITES);
    expect(await ask(SHOP)).toMatch(/^shop \+ 0 bytes/m);
    await byHand(`set map sites.map ${SHOP.domain} ${(await serverOf('shop')).split('/')[0]}/gone.0`);
    expect(await ask(SHOP)).toMatch(/^HTTP\/1\.1 503 /);
    expect((await observe()).renew).toBe('HAProxy does not do what its files say');
    const before = await pids();
    await lab.up(SITES);
    expect(await ask(SHOP)).toMatch(/^shop \+ 0 bytes/m);
    expect(await pids()).toBe(before);
  });

  it('of one service never comes by a connection that another left open', async () => {
    const visits = Array.from({ length: 40 }, (_, index) => visitOf(index % 2 === 0 ? SHOP : WIKI));
    const heard = (await lab.visitAll(visits)).map(({ answer }) => /^(\w+) \+ 0 bytes/m.exec(answer)?.[1]);
    expect(heard).toEqual(visits.map((_, index) => (index % 2 === 0 ? 'shop' : 'wiki')));
  });
});
