import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport } from '../../src/core/control.ts';
import { twinOf } from '../../src/core/ula.ts';
import type { Argv } from '../../src/system/run.ts';
import { neighbourAdvertisement, onLink, routerAdvertisement, sendIcmpv6 } from '../support/icmpv6.ts';
import {
  capture,
  EXIT,
  HOST,
  HOST6,
  METADATA,
  ROUTER,
  startIsolation,
  ULA,
  WEB,
  WEB6,
  type Isolation,
} from '../support/isolation-lab.ts';

/** What a service reaches by itself, and what it does not. */
let world: Isolation;
const signal = AbortSignal.timeout(280_000);
beforeAll(async () => {
  world = await startIsolation(signal);
}, 150_000);
afterAll(() => world?.lab.stop());

const SERVICES = ['hidden', 'mute', 'open'] as const;
/** The router's address at home, and another machine there. */
const [ROUTER_INSIDE, LAN] = ['192.168.50.1', '192.168.50.30'];
const PORTS = [22, 53, 80, 8081, 9040, 9041, 9053, 9054];
const on = (...hosts: string[]): string[] =>
  hosts
    .map((host) => (host.includes(':') ? `[${host}]` : host))
    .flatMap((host) => PORTS.flatMap((port) => [`tcp:${host}:${port}`, `udp:${host}:${port}`]));
const six = (address: string): string => twinOf({ ula: ULA }, address) ?? '';
const OWN = ['10.64.0.1', '10.64.0.2', '10.64.0.3'];
/** Everything that is nobody's business: the gateway's own addresses, the host, its LAN, the cloud's metadata. */
const forbidden = (): string[] =>
  on(...OWN, ...OWN.map(six), HOST, HOST6, ROUTER_INSIDE, '2b00:50::1', LAN, METADATA);
const neighbours = (service: string): string[] =>
  SERVICES.filter((name) => name !== service)
    .map((name) => world.addresses[name] ?? '')
    .flatMap((address) => [address, six(address)]);

it('lets out by the way that was declared, and by no other', async () => {
  await expect
    .poll(() => world.fetch('hidden', 'http://web.lab.test/', '--max-time', '2'), { timeout: 30_000 })
    .toContain(`you are ${EXIT} at`);
  expect(await world.fetch('open', 'http://web.lab.test/')).toContain(`you are ${ROUTER} at`);
  expect(await world.fetch('mute', 'http://web.lab.test/')).toBe('');
  expect(await world.fetch('mute', `http://${WEB}/`)).toBe('');
  // Over IPv6 the host could, and nobody else.
  expect(await world.fetch(undefined, `http://[${WEB6}]/`)).toContain(`you are ${HOST6} at`);
  for (const service of SERVICES) expect(await world.fetch(service, `http://[${WEB6}]/`)).toBe('');
  expect((await world.gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
});

it('finds nothing else, however it looks', async () => {
  // The scan has teeth: from the host, much of it answers, the LAN too.
  const seen = await world.scan(undefined, on(HOST, HOST6, METADATA, LAN));
  expect(seen.join()).toContain(`tcp:${LAN}:80 HTTP`);
  expect(seen).toEqual(expect.arrayContaining([`tcp:${HOST}:8081 host`, `udp:${HOST}:8081 host`]));
  expect(seen).toEqual(expect.arrayContaining([`tcp:[${HOST6}]:8081 host`, `udp:[${HOST6}]:8081 host`]));
  expect(seen.join()).toContain(`tcp:${METADATA}:80 HTTP`);
  const scans = SERVICES.map((service) =>
    world.scan(service, [...forbidden(), ...on(...neighbours(service))]),
  );
  expect(await Promise.all(scans)).toEqual([[], [], []]);
  const pings = SERVICES.flatMap((service) =>
    ['10.64.0.1', HOST, WEB, six('10.64.0.1'), HOST6, WEB6].map((host) =>
      world.within(service, 'ping', '-c1', '-W1', host),
    ),
  );
  expect((await Promise.all(pings)).filter((said) => said.includes('1 received'))).toEqual([]);
  // No datagram of a service that leaves through Tor is carried but a name query.
  expect(await world.scan('hidden', [`udp:${WEB}:8081`, 'udp:11.4.0.53:5353'])).toEqual([]);
});

it('offers its programs no socket of the gateway, and none that resolves names', async () => {
  const { gateway, home } = world;
  const resolver = '/run/systemd/resolve/io.systemd.Resolve';
  const listen = `require('node:fs').mkdirSync('/run/systemd/resolve', { recursive: true }); require('node:net').createServer().listen('${resolver}', () => require('node:fs').chmodSync('${resolver}', 0o777));`;
  await home.detach(['/opt/gateway/node_modules/.bin/node', '-e', listen], {
    logFile: `${home.directory}/resolver.log`,
  });
  const sockets = ['api.sock', 'helper.sock', 'tor/control.sock', 'tor/socks.sock'].map(
    (name) => `unix:${gateway.root}/run/${name}`,
  );
  const targets = [...sockets, `unix:${resolver}`];
  await expect.poll(() => world.scan(undefined, targets), { timeout: 10_000 }).toHaveLength(5);
  const script = `const net = require('node:net'); for (const target of process.argv.slice(1)) net.connect(target.slice(5)).on('connect', () => console.log(target)).on('error', () => {}); setTimeout(() => process.exit(), 1000);`;
  const run = ['service', 'run', 'hidden', '--', '/opt/gateway/node_modules/.bin/node', '-e', script];
  expect(await gateway.command(signal, ...run, ...targets)).toBe('');
}, 30_000);

it('shows nothing of a service on the uplink but connections of tor, also while tor is killed', async () => {
  const { home } = world;
  const stop = await capture(home, 'lan');
  expect(await world.fetch('hidden', 'http://web.lab.test/secret')).toContain('you are');
  const pid = (await home.run(['pgrep', '-o', '-x', 'tor'], { signal })).stdout.trim();
  await home.run(['kill', '-KILL', pid], { signal });
  const killedAt = Date.now();
  const tries = Array.from({ length: 6 }, async (_, index) => {
    await sleep(index * 150);
    await world.fetch('hidden', `http://lost${index}.lab.test/`, '--max-time', '2');
    const overIpv6 = [`udp:[${WEB6}]:53`, `tcp:[${WEB6}]:80`, `udp:[${HOST6}]:53`];
    await world.scan('hidden', [`udp:${WEB}:53`, 'udp:11.4.0.53:53', `tcp:${WEB}:80`, ...overIpv6]);
  });
  await Promise.all(tries);
  await expect
    .poll(() => world.fetch('hidden', 'http://web.lab.test/again', '--max-time', '2'), { timeout: 30_000 })
    .toContain(`you are ${EXIT}`);
  console.log(`through tor again ${Date.now() - killedAt} ms after it was killed`);
  const seen = await stop();
  expect(seen.packets.length).toBeGreaterThan(20);
  const strays = seen.packets.filter(
    ({ source, destination, isOfLink }) =>
      !isOfLink &&
      ![source, destination].every((address) => address === HOST || address.startsWith('11.9.0.')),
  );
  expect(strays).toEqual([]);
  for (const text of ['secret', 'lost', 'web.lab.test', '\x03web\x03lab\x04test', '\x03lab\x04test']) {
    expect(seen.contains(text)).toBe(false);
  }
}, 60_000);

it('cannot end tor by a name query that is none', async () => {
  const torPid = (): Promise<string> => world.within(undefined, 'pgrep', '-o', '-x', 'tor');
  const before = await torPid();
  // libevent 2.1.12 ends the process at less than a header; first within a flow that a good query has opened.
  const header = '123401000001000000000000';
  // web.lab.test, A, IN
  const query = `${header}03776562036c616204746573740000010001`;
  const send = `const udp = require('node:dgram').createSocket('udp4'); const to = (text) => udp.send(text, 53, '192.0.2.53'); to(Buffer.from('${query}', 'hex')); udp.on('message', () => { for (const text of ['x', '', 'xxxxxxxxxxx']) to(text); }); to('x'); setTimeout(() => process.exit(), 3000);`;
  await world.within('hidden', '/opt/gateway/node_modules/.bin/node', '-e', send);
  expect(await world.fetch('hidden', 'http://web.lab.test/')).toContain(`you are ${EXIT}`);
  expect(await torPid()).toBe(before);
}, 30_000);

it('gains nothing by taking another address, nor by tearing down its own wall', async () => {
  const { addresses, home } = world;
  const inside = (...argv: [string, ...string[]]) => world.within('mute', ...argv);
  await inside('nft', 'flush', 'ruleset');
  const { hidden = '', open = '' } = addresses;
  await inside('ip', '-6', 'route', 'replace', 'default', 'via', six('10.64.0.1'), 'dev', 'eth0', 'onlink');
  const taken = [hidden, open, ...OWN, WEB];
  const all = [...taken, ...taken.slice(0, -1).map(six), WEB6, HOST6];
  const block = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;
  for (const address of all) await inside('ip', 'addr', 'add', block(address), 'dev', 'eth0');
  for (const address of [addresses['mute'] ?? '', ...taken]) {
    expect(await world.fetch('mute', `http://${WEB}/`, '--interface', address, '--max-time', '1')).toBe('');
  }
  // Each connection as another one: nobody answers, and nobody is let through.
  for (const address of [six(hidden), six(open), WEB6, HOST6]) {
    for (const to of [six(open), WEB6, HOST6].filter((each) => each !== address)) {
      expect(await world.fetch('mute', `http://[${to}]/`, '--interface', address, '--max-time', '1')).toBe(
        '',
      );
    }
  }
  for (const address of all) await inside('ip', 'addr', 'del', block(address), 'dev', 'eth0');
  const neighbours6 = on(hidden, open, six(hidden), six(open), WEB6);
  expect(await world.scan('mute', [...forbidden(), ...neighbours6])).toEqual([]);
  const greeted = await home.run(
    ['curl', '-sS', '--http0.9', '--max-time', '2', '--interface', '10.64.0.3', `http://${open}/`],
    { signal },
  );
  expect(greeted.stdout).toBe('open');
}, 60_000);

it('harms nobody else by floods, forged packets and endless answers', async () => {
  const { addresses, home } = world;
  const { mute = '', open = '', hidden = '' } = addresses;
  const forge = `table ip forge { chain out { type filter hook output priority raw; ip daddr != ${mute} ip saddr set ${open}; }; }`;
  await world.within('mute', 'nft', forge);
  const lies = [routerAdvertisement('2b00:bad::'), neighbourAdvertisement(six(open), '02:00:00:00:00:bd')];
  const sight = (): Promise<string> =>
    world.within(undefined, 'ip', 'netns', 'exec', 'gw-hub', 'ip', '-6', 'route', 'show', 'table', 'all');
  const before = await sight();
  const inMute = (...argv: Argv): Promise<string> => world.within('mute', ...argv);
  expect(await sendIcmpv6(inMute, onLink('eth0'), lies)).toBe('sent');
  expect(await sight()).toBe(before);
  const flood = `const udp = require('node:dgram').createSocket('udp4'); const end = Date.now() + 4000; const again = () => { for (let n = 0; n < 200; n++) udp.send(Buffer.alloc(1200), 80, ['${hidden}', '${WEB}', '10.64.0.3'][n % 3], () => {}); if (Date.now() < end) setImmediate(again); else process.exit(); }; udp.on('error', () => {}); again();`;
  const endless = `require('node:net').createServer((s) => { s.on('error', () => {}); const more = () => { while (s.write(Buffer.alloc(65536))); s.once('drain', more); }; more(); }).listen(80, '0.0.0.0');`;
  await world.within('mute', 'pkill', '-f', 'mute 80 8081$');
  const node = '/opt/gateway/node_modules/.bin/node';
  const options = { logFile: `${home.directory}/hostile.log` };
  const enter = ['ip', 'netns', 'exec', 'gw-mute', node, '-e'] as const;
  await home.detach([...enter, flood], options);
  await home.detach([...enter, endless], options);
  const seen: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const begun = performance.now();
    expect(await world.fetch('open', `http://${WEB}/`)).toContain(`you are ${ROUTER}`);
    expect(await world.fetch('hidden', `http://${WEB}/`)).toContain(`you are ${EXIT}`);
    seen.push(performance.now() - begun);
    await sleep(300);
  }
  console.log(`neighbours beside a flood: ${seen.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  await world.within('mute', 'nft', 'delete', 'table', 'ip', 'forge');
}, 60_000);
