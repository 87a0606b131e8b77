import { expect, it } from 'vitest';
import type { Privacy } from '../../src/core/service.ts';
import type { ServiceStatus, Status } from '../../src/core/status.ts';
import type { Check } from '../../src/doctor/check.ts';
import { leaks } from '../../src/doctor/checks/leaks.ts';
import { examine } from '../../src/doctor/examine.ts';
import { judge } from '../../src/doctor/leaks/judge.ts';
import type { PlaceSeen, Seen, SubjectSeen } from '../../src/doctor/leaks/seen.ts';
import { pathWithin } from '../../src/doctor/leaks/within.ts';
import { placesOf, subjectsIn } from '../../src/doctor/leaks/subjects.ts';
import { sayIn } from '../../src/doctor/messages/say.ts';
import { reportOf } from '../../src/doctor/report.ts';
import type { Report } from '../../src/doctor/types.ts';
import type { Visit, Visited, World } from '../../src/doctor/world.ts';

/** What is made of what strangers see; that it is seen as they do is for the lab. */
const ONION = `${'a'.repeat(56)}.onion`;
const HOME = '11.2.0.2';
const PAGE = `<title>Honey</title>\n${Array.from({ length: 10 }, (_, line) => `<li>jar ${line}</li>`).join('\n')}`;

function answer(body: string, headers: Record<string, string> = {}, more: Partial<Visited> = {}): Visited {
  const page = { status: 200, headers: Object.entries(headers), body };
  return { page, certificate: undefined, hasTor: true, why: undefined, ...more };
}
const missing: Visited = { page: undefined, certificate: undefined, hasTor: true, why: 'refused' };
const certificate = { fingerprint: 'AB:CD', names: ['lnd', '192.168.1.20'] };

const subject = (visited: Visited, more: Partial<SubjectSeen> = {}): SubjectSeen => ({
  name: 'shop',
  privacy: 'tor-only',
  target: { address: '10.64.1.2', port: 80 },
  front: { host: ONION, port: 80, isTls: false },
  pages: [{ path: '/', visited }],
  ...more,
});
const place = (visited: Visited, tells: PlaceSeen['tells'] = 'home'): PlaceSeen => ({
  url: tells === 'home' ? `http://${HOME}:80` : 'https://blog.test',
  door: { host: tells === 'home' ? HOME : 'blog.test', port: 80, isTls: false },
  tells,
  pages: [{ path: '/', visited }],
});
const seen = (one: SubjectSeen, more: Partial<Seen> = {}): Seen => ({
  subjects: [one],
  places: [],
  known: { addresses: [HOME], inside: ['192.168.1.20'], names: ['blog.test'] },
  router: [],
  ...more,
});
const codes = (all: Seen): string[] => judge(all, 'id').map(({ code, severity }) => `${code} ${severity}`);

it.each<[string, Visited, string[]]>([
  ['nothing', answer(PAGE, { server: 'nginx' }), []],
  ['another address', answer('see 192.168.1.201, 11.2.0.25 and 192.168.1.1'), []],
  ['own pages', answer(PAGE, { location: `http://${ONION}/` }), []],
  [
    'an address of any LAN in a header',
    answer('', { location: 'http://10.0.0.5:8080/' }),
    ['LEAK_INSIDE warning'],
  ],
  ['its own address in the page', answer('Server at 192.168.1.20 Port 80'), ['LEAK_INSIDE warning']],
  ['the home in the page', answer(`<a href="http://${HOME}/x">`), ['LEAK_ADDRESS error']],
  ['a name in a cookie', answer('', { 'set-cookie': 'a=b; Domain=.Blog.test' }), ['LEAK_NAME error']],
  ['a name in a link', answer('', { link: '<https://BLOG.test/x>' }), ['LEAK_NAME error']],
  ['an address in the certificate', answer('', {}, { certificate }), ['LEAK_INSIDE warning']],
  ['the version of its server', answer('', { server: 'Apache/2.4.62' }), ['LEAK_SOFTWARE note']],
])('hears of a page that tells %s', (_, visited, expected) => {
  expect(codes(seen(subject(visited)))).toEqual(expected);
});

it.each<[string, Visited, Visited, string[]]>([
  ['the same page', answer(PAGE), answer(PAGE), ['LEAK_SAME error']],
  [
    'one that greets another',
    answer(`${PAGE}\n<p>you are a`),
    answer(`${PAGE}\n<p>you are b`),
    ['LEAK_SAME error'],
  ],
  ['another page', answer(PAGE), answer(PAGE.replaceAll('jar', 'loaf')), []],
  ['two empty pages', answer(''), answer(''), []],
  [
    'the same error',
    { ...answer(PAGE), page: { ...answer(PAGE).page, status: 503, headers: [], body: PAGE } },
    answer(PAGE),
    [],
  ],
  [
    'one ETag',
    answer('a', { etag: '"66f1-a2"abc' }),
    answer('b', { etag: '"66f1-a2"abc' }),
    ['LEAK_SAME error'],
  ],
  [
    'one certificate',
    { ...missing, certificate: { ...certificate, names: [] } },
    { ...missing, certificate },
    ['LEAK_SAME error'],
  ],
  ['nothing there', answer(PAGE), missing, []],
])('compares with a page at the home: %s', (_, one, other, expected) => {
  expect(codes(seen(subject(one), { places: [place(other)] }))).toEqual(expected);
});

it.each<[Privacy, PlaceSeen['tells'], string]>([
  ['tor-only', 'name', 'LEAK_SAME error'],
  ['no-clearnet', 'home', 'LEAK_SAME error'],
  ['hide-home-address', 'home', 'LEAK_SAME error'],
  ['hide-home-address', 'name', 'LEAK_SAME note'],
  ['open', 'home', 'LEAK_SAME note'],
])('weighs the same page of a service that is %s at a %s', (privacy, tells, expected) => {
  expect(codes(seen(subject(answer(PAGE), { privacy }), { places: [place(answer(PAGE), tells)] }))).toEqual([
    expected,
  ]);
});

it('finds the onion at a page of the home, and minds where it is hidden alone', () => {
  const places = [place(answer('', { 'onion-location': `http://${ONION}/` }))];
  expect(codes(seen(subject(missing), { places }))).toEqual(['LEAK_ONION_NAMED error']);
  expect(codes(seen(subject(missing, { privacy: 'open' }), { places }))).toEqual([]);
});

it('finds it in public records, at the router and in its status page', () => {
  const known = { addresses: [], inside: [], names: ['shop.example', 'workshop.example'] };
  const [record] = judge(seen(subject(missing), { known }), 'id');
  expect(record).toMatchObject({ code: 'LEAK_RECORD', values: { names: 'shop.example' }, because: ['id'] });
  const line = { externalPort: 8080, internalAddress: '10.64.1.2', internalPort: 80, description: 'web' };
  expect(codes(seen(subject(missing), { router: [line] }))).toEqual(['LEAK_ROUTER error']);
  const told = { ...line, internalPort: 81, description: 'my shop' };
  expect(codes(seen(subject(missing), { router: [told] }))).toEqual(['LEAK_ROUTER note']);
  const pages = [{ path: '/server-status', visited: answer('<h1>Apache Server Status for x</h1>') }];
  expect(codes(seen(subject(missing, { pages })))).toEqual(['LEAK_STATUS_PAGE error']);
});

const way = (provider: string, network: string, url: string) => ({
  provider,
  addresses: [{ url, network, clientNeeds: [] }],
});
const service = (name: string, privacy: Privacy, ...ways: ReturnType<typeof way>[]): ServiceStatus =>
  ({ name, privacy, address: '10.64.1.2', port: 80, ways }) as unknown as ServiceStatus;

it('looks at services that hide, or whose onion stands beside another way', () => {
  const onion = way('tor', 'onion', `tcp://${ONION}:10009`);
  const page = way('clearnet', 'internet', 'https://blog.test');
  const services = [
    service('a', 'tor-only', onion),
    service('b', 'open', onion),
    service('c', 'open', onion, page),
    service('d', 'hide-home-address', way('relay', 'internet', 'https://pay.test:8443')),
    service('e', 'no-clearnet', way('wireguard', 'vpn', 'http://10.64.1.5')),
    // The rules of privacy let no such way in be; nobody is asked about it all the same.
    service('f', 'tor-only', way('clearnet', 'internet', 'https://secret.test')),
  ];
  expect(
    subjectsIn(services).map(({ name, front }) => [name, front?.host, front?.port, front?.isTls]),
  ).toEqual([
    ['a', ONION, 10009, true],
    ['c', ONION, 10009, true],
    ['d', 'pay.test', 8443, true],
    ['e', undefined, undefined, undefined],
    ['f', undefined, undefined, undefined],
  ]);
  const places = placesOf(services, ['192.168.1.20', HOME]).map(({ url, tells }) => `${tells} ${url}`);
  const ports = [`http://${HOME}:80`, `https://${HOME}:443`, `http://${HOME}:8080`, `https://${HOME}:8443`];
  expect(places).toEqual([
    ...ports.map((url) => `home ${url}`),
    'home https://blog.test',
    'name https://pay.test:8443',
  ]);
});

async function run(
  check: Check,
  services: ServiceStatus[],
  visit: (asked: Visit) => Visited,
): Promise<Report> {
  const world: Partial<World> = {
    now: () => 0,
    gateway: () => Promise.resolve({ state: 'running', status: { services } as unknown as Status }),
    ask: <Answer>(path: string) =>
      Promise.resolve((path === '/v1/address' ? { addresses: [{ address: HOME }] } : []) as Answer),
    wayOut: () => Promise.resolve(undefined),
    visit: (asked) => Promise.resolve(visit(asked)),
  };
  const signal = AbortSignal.timeout(5000);
  const asked = { checks: [check], world: world as World, mode: 'quick' as const, isOffline: false, signal };
  const done = await examine({ ...asked, onDone: () => undefined });
  return reportOf({ done, begunAt: 0, durationMs: 0, mode: 'quick' }, sayIn('en'));
}

it('asks the onion of a tor-only service through its own tor alone, and nobody else about it', async () => {
  const asked: Visit[] = [];
  const services = [service('shop', 'tor-only', way('tor', 'onion', `http://${ONION}`))];
  const report = await run(leaks, services, (visit) => {
    asked.push(visit);
    return visit.host === ONION ? answer(PAGE) : missing;
  });
  expect(report.checks).toMatchObject([{ state: 'ok' }]);
  expect(new Set(asked.map(({ by, host }) => `${by} ${host}`))).toEqual(
    new Set([`tor-only ${ONION}`, `tor ${HOME}`]),
  );
  expect(JSON.stringify(report)).not.toContain('jar 1');
});

it.each<[string, Partial<Visited>, Partial<Visited>, string]>([
  ['the onion does not answer', {}, {}, 'could not be visited through Tor: shop'],
  ['no other tor runs', answer(PAGE), { hasTor: false }, 'could not be looked at from outside'],
])('does not know where %s', async (_, onion, home, said) => {
  const services = [service('shop', 'tor-only', way('tor', 'onion', `http://${ONION}`))];
  const report = await run(leaks, services, ({ host }) => ({
    ...missing,
    ...(host === ONION ? onion : home),
  }));
  expect(report.checks).toMatchObject([{ state: 'unknown', text: expect.stringContaining(said) }]);
});

it.each([
  [302, '/login', '/login'],
  [301, `http://${ONION}/shop?all`, '/shop?all'],
  [302, `https://${ONION}/`, undefined],
  [302, `http://${HOME}/login`, undefined],
  [302, 'http://[', undefined],
  [200, '/login', undefined],
])('goes after a redirect (%d to %s) at the same door alone', (status, location, expected) => {
  const visited = { ...missing, page: { status, headers: [['location', location] as const], body: '' } };
  expect(pathWithin({ host: ONION, port: 80, isTls: false }, visited)).toBe(expected);
});

it('compares the page that the first one leads to', async () => {
  const services = [service('shop', 'tor-only', way('tor', 'onion', `http://${ONION}`))];
  const moved = { ...missing, page: { status: 302, headers: [['location', '/login'] as const], body: '' } };
  const report = await run(leaks, services, ({ path }) =>
    path === '/' ? moved : path === '/login' ? answer(PAGE) : missing,
  );
  expect(report.findings.map(({ code }) => code)).toEqual(['LEAK_SAME']);
});
