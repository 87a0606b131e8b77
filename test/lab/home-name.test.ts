import { afterAll, beforeAll, expect, it } from 'vitest';
import type { NameReport } from '../../src/core/control.ts';
import { mappingTopology, startMappingHome, type MappingHome } from '../support/mapping-lab.ts';

/** A home with nothing but a router that opens ports and a zone that takes updates; its address changes. */
const signal = AbortSignal.timeout(170_000);
const SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==';
const CREDENTIAL = '/run/updates.key';
let home: MappingHome;

beforeAll(async () => {
  const topology = mappingTopology(['pcp'], {
    nodes: {
      dns: { defaultRoute: '11.4.0.1', services: [{ type: 'dns', zone: 'lab.test', updates: SECRET }] },
    },
    networks: { names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' } },
  });
  home = await startMappingHome(['pcp'], signal, () => Promise.resolve(), topology);
  await credential(CREDENTIAL, SECRET);
}, 60_000);
afterAll(() => home?.lab.stop());

/** A file that the daemon's user may read, and nobody else. */
async function credential(path: string, secret: string): Promise<void> {
  const on = (...argv: [string, ...string[]]) => home.lab.node('home').run(argv, { signal, input: secret });
  await on('dd', 'status=none', `of=${path}`);
  await on('chown', 'gateway', path);
  await on('chmod', '600', path);
}

/** As a visitor's resolver finds it. */
async function lookup(name: string): Promise<string> {
  const { stdout } = await home.lab.node('phone').run(['kdig', '+short', name, 'A'], { signal });
  return stdout.trim();
}

const setName = (file: string, ...more: string[]) => {
  const host = ['--zone', 'lab.test', '--at', 'rfc2136', '--server', '11.4.0.53', '--key', 'updates'];
  return home.owner.type('name', 'set', 'home.lab.test', ...host, '--credential', file, ...more);
};

it('one command gives the home a name, which is at its address and in the code that a phone scans', async () => {
  const answer = await setName(CREDENTIAL, '--wildcard');
  expect([answer.exitCode, answer.stderr]).toEqual([0, expect.anything()]);
  await expect.poll(() => lookup('home.lab.test'), { timeout: 20_000 }).toBe('11.2.0.2');
  expect(await lookup('shop.home.lab.test')).toBe('11.2.0.2');
  expect(await home.enrol()).toContain('\nEndpoint = home.lab.test:51820\n');
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
}, 60_000);

it('follows the home to another address, and so does a phone that turns its tunnel on again', async () => {
  const on = (...argv: [string, ...string[]]) => home.lab.node('router').run(argv, { signal });
  await on('ip', 'address', 'del', '11.2.0.2/24', 'dev', 'uplink');
  await on('ip', 'address', 'add', '11.2.0.9/24', 'dev', 'uplink');
  await on('ip', 'route', 'replace', 'default', 'via', '11.2.0.1');
  // Nobody tells the home: it finds out when it looks at its lease, once a minute.
  await expect.poll(() => lookup('home.lab.test'), { timeout: 70_000 }).toBe('11.2.0.9');
  await home.phone.leave(signal);
  await home.phone.join(signal);
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
  const [name] = await home.owner.json<NameReport[]>('name', 'list');
  expect(name).toMatchObject({ name: 'home.lab.test', addresses: ['11.2.0.9'], trouble: null });
}, 90_000);

it('a wrong key is told once, and the host is not asked again', async () => {
  const wrong = Buffer.from('wrong').toString('base64');
  await credential('/run/wrong.key', wrong);
  const answer = await setName('/run/wrong.key');
  expect(answer.exitCode).toBe(1);
  expect(answer.stdout).toContain('11.4.0.53:53 refused the change: BADSIG');
  const status = await home.owner.type('status');
  expect(status.stdout).toContain("home.lab.test is not at the home's address");
  expect(status.stdout).toContain('what it may change in lab.test');
}, 40_000);
