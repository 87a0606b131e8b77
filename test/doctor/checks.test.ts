import { expect, it } from 'vitest';
import type { Status, Way } from '../../src/core/status.ts';
import type { Check } from '../../src/doctor/check.ts';
import { certificates } from '../../src/doctor/checks/certificates.ts';
import { container } from '../../src/doctor/checks/container.ts';
import { fallback } from '../../src/doctor/checks/fallback.ts';
import { gateway } from '../../src/doctor/checks/gateway.ts';
import { mapping } from '../../src/doctor/checks/mapping.ts';
import { names } from '../../src/doctor/checks/names.ts';
import { ports } from '../../src/doctor/checks/ports.ts';
import { programs } from '../../src/doctor/checks/programs.ts';
import { relay } from '../../src/doctor/checks/relay.ts';
import { tor } from '../../src/doctor/checks/tor.ts';
import { examine, type Done } from '../../src/doctor/examine.ts';
import { sayIn } from '../../src/doctor/messages/say.ts';
import { reportOf } from '../../src/doctor/report.ts';
import type { Report } from '../../src/doctor/types.ts';
import type { World } from '../../src/doctor/world.ts';

/** What checks make of what they see; that they see it right is for the labs. */
const NOW = Date.parse('2026-03-01T12:00:00Z');

const way = (provider: string, more: Partial<Way> = {}): Way => ({
  provider,
  address: null,
  addresses: [],
  reachable: 'yes',
  vantage: 'relay',
  provedAt: null,
  tookMs: null,
  phase: 'up',
  conditions: [],
  ...more,
});
const off = (message: string): Partial<Way> => ({
  reachable: 'no',
  phase: 'down',
  conditions: [{ type: 'Reachable', status: 'no', reason: 'NotReached', message, since: '' }],
});

function running(ways: readonly Way[], more: Partial<Status> = {}, privacy = 'open'): Partial<World> {
  const services = [{ name: 'shop', privacy, ways, listening: { status: 'yes', message: '' } }];
  const status = { isDown: false, fileDiffers: false, services, devices: [], notices: [], ...more };
  return { gateway: () => Promise.resolve({ state: 'running', status: status as unknown as Status }) };
}

const QUIET: Partial<World> = {
  now: () => NOW,
  machine: { isRoot: true, container: undefined, kernel: '6.1.0-30-amd64' },
  gateway: () => Promise.resolve({ state: 'none', why: '' }),
  program: () => Promise.resolve(undefined),
  router: () => Promise.resolve(undefined),
  wayOut: () =>
    Promise.resolve({
      address: '192.168.1.20',
      interface: 'eth0',
      gateway: null,
      kind: 'ordinary',
      mtu: 1500,
    }),
};

async function see(check: Check, world: Partial<World>): Promise<Report> {
  const asked = { checks: [check], world: { ...QUIET, ...world } as World, mode: 'quick' as const };
  const signal = AbortSignal.timeout(5000);
  const done: readonly Done[] = await examine({
    ...asked,
    isOffline: false,
    signal,
    onDone: () => undefined,
  });
  return reportOf({ done, begunAt: NOW, durationMs: 0, mode: 'quick' }, sayIn('en'));
}

const codes = ({ findings }: Report): string[] => findings.map(({ code, severity }) => `${code} ${severity}`);
const printing = (stdout: string): Partial<World> => ({
  program: () => Promise.resolve({ stdout, exitCode: 0 }),
});
const answering = (answer: unknown): Partial<World> => ({
  ask: <Answer>() => Promise.resolve(answer as Answer),
});

it.each<[string, Partial<World>, string[], string]>([
  ['none set up', {}, [], 'ok'],
  [
    'one that does not answer',
    { gateway: () => Promise.resolve({ state: 'stopped', why: 'no' }) },
    ['GATEWAY_STOPPED error'],
    'error',
  ],
  [
    'one that may not be asked',
    { gateway: () => Promise.resolve({ state: 'denied', why: 'no' }) },
    [],
    'unknown',
  ],
  ['all ways proved', running([way('tor'), way('wireguard')]), [], 'ok'],
  [
    'an onion that nobody gets to',
    running([way('tor', off('no descriptor')), way('wireguard')]),
    ['WAY_ONION error'],
    'error',
  ],
  [
    'everything closed',
    running([way('tor', off('closed'))], { isDown: true }),
    ['GATEWAY_DOWN error'],
    'error',
  ],
  [
    'a remark',
    running([way('tor')], { notices: ['the disk is old'] }),
    ['GATEWAY_NOTICE warning'],
    'warning',
  ],
  [
    'a file that was edited',
    running([way('tor')], { fileDiffers: true }),
    ['GATEWAY_FILE_DIFFERS note'],
    'note',
  ],
])('of the gateway, sees %s', async (_, world, expected, state) => {
  const report = await see(gateway, world);
  expect(codes(report)).toEqual(expected);
  expect(report.checks[0]?.state).toBe(state);
});

it('says of each kind of way how many work', async () => {
  const bad = way('clearnet', off('refused'));
  const report = await see(
    gateway,
    running([bad, way('clearnet'), way('tor'), way('wireguard', { reachable: 'unknown' })]),
  );
  expect(report.verdict.reachable).toEqual({
    clearnet: 'degraded',
    onion: 'yes',
    wireguard: 'unknown',
    relay: null,
  });
  expect(report.findings[0]?.seen).toBe('shop: refused.');
});

const starting = (since: number): Way =>
  way('tor', {
    reachable: 'unknown',
    phase: 'pending',
    conditions: [
      {
        type: 'Published',
        status: 'unknown',
        reason: 'Bootstrapping',
        message: 'tor is bootstrapping, 10 %',
        since: new Date(since).toISOString(),
      },
    ],
  });
const NEW = printing('Tor version 0.4.9.11.');

it.each<[string, Partial<World>, string[], string]>([
  ['absent, and not needed', {}, [], 'ok'],
  ['absent, and needed', running([way('tor')]), ['TOR_MISSING error'], 'error'],
  ['new', NEW, [], 'ok'],
  ['old', printing('Tor version 0.4.7.16.'), ['TOR_OLD warning'], 'warning'],
  ['just started', { ...NEW, ...running([starting(NOW - 60_000)]) }, [], 'unknown'],
  ['stuck', { ...NEW, ...running([starting(NOW - 600_000)]) }, ['TOR_STUCK error'], 'error'],
])('sees tor that is %s', async (_, world, expected, state) => {
  const report = await see(tor, world);
  expect(codes(report)).toEqual(expected);
  expect(report.checks[0]?.state).toBe(state);
});

const page = { addresses: [{ url: 'https://pay.anna.example/', network: 'internet', clientNeeds: [] }] };
const named = (
  addresses: readonly string[],
  privacy?: string,
  atSource: readonly string[] = [],
): Partial<World> => ({
  lookupAtSource: () => Promise.resolve({ addresses: atSource }),
  ...running([way('clearnet', page)], {}, privacy),
  ...answering({ ipv4: '203.0.113.7' }),
  lookup: () =>
    Promise.resolve(addresses.length === 0 ? { failure: 'no-such-name' as const } : { addresses }),
});

it.each<[string, Partial<World>, string[]]>([
  ['leads here', named(['203.0.113.7']), []],
  ['is unknown', named([]), ['NAME_MISSING error']],
  ['is kept back at home', named([], 'open', ['203.0.113.7']), ['NAME_HIDDEN warning']],
  ['is private at home', named(['192.168.1.20']), ['NAME_PRIVATE warning']],
  ['leads to a machine elsewhere', named(['9.9.9.9']), ['NAME_ELSEWHERE error']],
  ['is of a service that no DNS may hear of', named([], 'tor-only'), []],
])('sees a name that %s', async (_, world, expected) => {
  expect(codes(await see(names, world))).toEqual(expected);
});

const day = 86_400_000;
const held = (days: number, problem: object | null) => ({
  name: 'pay.anna.example',
  state: 'valid',
  notAfter: new Date(NOW + days * day).toISOString(),
  problem,
});
const refused = { message: 'the authority could not connect', hint: 'open port 80', retryAt: '' };

it.each<[string, unknown, string[]]>([
  ['fresh', held(60, null), []],
  ['with a failure long before its end', held(30, refused), []],
  ['with a failure near its end', held(3, refused), ['CERTIFICATE_ENDS warning']],
  ['that never was', { ...held(0, refused), state: 'failing', notAfter: null }, ['CERTIFICATE_NONE error']],
])('sees a certificate %s', async (_, one, expected) => {
  const report = await see(certificates, { ...running([way('clearnet')]), ...answering([one]) });
  expect(codes(report)).toEqual(expected);
});

const relayed = (state: string, own: string, ssh: string): Partial<World> => ({
  ...running([way('wireguard')]),
  ...answering([{ name: 'vps', address: '198.51.100.4:7443', state, message: 'it is silent' }]),
  connect: (_host, port) => Promise.resolve((port === 22 ? ssh : own) as 'open'),
});

it.each<[string, Partial<World>, string[]]>([
  ['that answers', relayed('up', 'open', 'open'), []],
  ['that forgot us', relayed('refused', 'open', 'open'), ['RELAY_FORGOT error']],
  ['whose program ended', relayed('unreachable', 'refused', 'open'), ['RELAY_STOPPED error']],
  ['behind a firewall of its own', relayed('unreachable', 'silent', 'open'), ['RELAY_FIREWALL error']],
  ['that is off', relayed('unreachable', 'silent', 'silent'), ['RELAY_AWAY error']],
])('sees a relay %s', async (_, world, expected) => {
  expect(codes(await see(relay, world))).toEqual(expected);
});

const mapped = (
  state: string,
  problem: string | null,
  model = '',
  provedAt: string | null = null,
): Partial<World> => ({
  ...running([way('wireguard')]),
  ...answering({
    router: '192.168.1.1',
    mappings: [{ transport: 'udp', port: 51_820, state, problem, hint: null, provedAt }],
  }),
  router: () => Promise.resolve({ address: '192.168.1.1', manufacturer: '', model, page: undefined }),
});

it.each<[string, Partial<World>, string[], string]>([
  ['opened it', mapped('held', null), [], 'ok'],
  ['was not asked yet', mapped('asking', null), [], 'unknown'],
  ['did not', mapped('failed', 'it is silent'), ['PORT_NOT_OPENED warning'], 'warning'],
  ['was told by hand', mapped('failed', 'it is silent', '', '2026-01-02T03:04:05Z'), [], 'ok'],
  ['opened it to nowhere', mapped('held', 'not on the internet'), ['PORT_OPENED_IN_VAIN warning'], 'warning'],
])('sees a router that %s', async (_, world, expected, state) => {
  const report = await see(mapping, world);
  expect(codes(report)).toEqual(expected);
  expect(report.checks[0]?.state).toBe(state);
});

it.each([
  ['AVM FRITZ!Box 7590', 'FRITZ!Box: Internet > Permit Access'],
  ['TP-Link Archer C7', 'TP-Link: Advanced > NAT Forwarding'],
  ['RT-AX88U ASUS', 'ASUS: Advanced Settings > WAN'],
  ['OpenWrt router', 'OpenWrt: Network > Firewall'],
  ['Livebox 6', "Provider's box"],
  ['Acme Z1', 'Look for Port Forwarding'],
])('tells the owner of a %s where the form is, and what to type', async (model, menu) => {
  const [finding] = (await see(mapping, mapped('failed', 'it is silent', model))).findings;
  const steps = finding?.fix.map(({ text }) => text) ?? [];
  expect(steps[0]).toContain('http://192.168.1.1');
  expect(steps[1]).toContain(menu);
  expect(steps[2]).toContain(
    'protocol UDP, external port 51820, internal port 51820, internal address 192.168.1.20',
  );
});

const using = (more: object): Partial<World> => {
  const state = {
    order: ['wireguard', 'tor'],
    way: 'wireguard',
    isFallback: false,
    isDark: false,
    why: 'lost',
  };
  const services = [
    { name: 'shop', ways: [], listening: { status: 'yes' }, fallback: { ...state, ...more } },
  ];
  return running([], { services: services as unknown as Status['services'] });
};

it.each<[string, Partial<World>, string[]]>([
  ['its first choice', using({}), []],
  ['another way', using({ way: 'tor', isFallback: true }), ['WAY_FALLBACK note']],
  ['no way', using({ isDark: true }), ['SERVICE_DARK error']],
])('sees a service that is had by %s', async (_, world, expected) => {
  expect(codes(await see(fallback, world))).toEqual(expected);
});

const listening = (program: string | undefined, address = '0.0.0.0'): Partial<World> => ({
  listeners: () => Promise.resolve([{ transport: 'tcp', address, port: 443, program }]),
});

it.each<[string, Partial<World>, string[]]>([
  ['nobody can be asked about', { listeners: () => Promise.resolve(undefined) }, []],
  ['nobody has', { listeners: () => Promise.resolve([]) }, []],
  ['our own edge has', { ...running([way('clearnet')]), ...listening('haproxy') }, []],
  ['another program has', { ...running([way('clearnet')]), ...listening('nginx') }, ['PORT_TAKEN warning']],
  ['another program has, and nobody needs', listening(undefined), ['PORT_TAKEN note']],
  ['a program has for this machine alone', listening('nginx', '127.0.0.1'), []],
])('sees a port that %s', async (_, world, expected) => {
  expect(codes(await see(ports, world))).toEqual(expected);
});

it('sees what a gateway lacks on this machine, and what it would lack', async () => {
  const machine = { isRoot: true, container: 'Docker', kernel: '4.19.0-27' };
  expect(codes(await see(programs, { ...running([]), machine }))).toEqual([
    'PROGRAM_MISSING error',
    'KERNEL_OLD note',
  ]);
  expect(codes(await see(programs, {}))).toEqual(['PROGRAM_MISSING note']);
  expect(codes(await see(programs, printing('any')))).toEqual([]);
  expect(codes(await see(container, { machine }))).toEqual(['CONTAINER note']);
});
