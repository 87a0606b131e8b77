import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { certificate } from '../support/lightning/certificate.ts';
import { RelayLab } from '../support/relay-lab.ts';

/** An LND and a program that are told where the home is: by the commands, across a restart, and when the node hung. */
const signal = AbortSignal.timeout(120_000);
const NODE = '/opt/gateway/node_modules/.bin/node';
const FAKE = '/opt/gateway/test/support/lightning/main.ts';
let scene: RelayLab;
const own = (name: string): string => scene.owner.file('etc', 'lnd', name);
const ofLnd = (name: string): string => scene.owner.file('lib', 'services', 'lnd', name);
const notices = async (): Promise<string> => (await scene.owner.gateway.status(signal)).notices.join('\n');

async function lines(file: string): Promise<unknown[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
const broadcasts = async (): Promise<unknown> => (await lines(ofLnd('broadcasts.json')))[0];
const told = (): Promise<unknown[]> => lines(scene.owner.file('told', 'lines'));

async function startLnd(): Promise<void> {
  const { owner } = scene;
  await mkdir(own(''), { recursive: true });
  const { key, cert } = await certificate(own(''), 'tls', signal);
  for (const file of [own(''), key, cert]) await chmod(file, 0o755);
  const program = owner.file('etc', 'new-address');
  await mkdir(owner.file('told'));
  await chmod(owner.file('told'), 0o777);
  await writeFile(program, `#!/bin/sh\ncat >> ${owner.file('told', 'lines')}\n`);
  await chmod(program, 0o755);
  const service = `  lnd:
    port: 8080
    kind: lnd
    node: { macaroon: ${own('gateway.macaroon')}, certificate: ${cert}, announce: 9735 }
announce: { programs: [${program}] }
`;
  await appendFile(owner.file('etc', 'gateway.yaml'), service);
  expect(await owner.type('up')).toMatchObject({ exitCode: 0 });
  const argv = owner.gateway.argv('service', 'run', 'lnd', '--', NODE, FAKE, '8080', key, cert);
  await owner.gateway.node.detach(argv, { logFile: join(owner.gateway.node.directory, 'lnd.log') });
  await vi.waitFor(async () => expect(await broadcasts()).toEqual([]), 15_000);
  await owner.home(
    'install',
    '--mode=400',
    '--owner=gateway',
    ofLnd('gateway.macaroon'),
    own('gateway.macaroon'),
  );
}

beforeAll(async () => {
  scene = await RelayLab.start('', signal);
  await startLnd();
}, 60_000);
afterAll(() => scene?.lab.stop());

it('tells both once a relay saw it, and neither again after a restart', async () => {
  expect([await broadcasts(), await told()]).toEqual([[], []]);
  await scene.owner.type('relay', 'join', (await scene.invite()).invite ?? '', '--name', 'vps');
  await expect.poll(broadcasts, { timeout: 15_000 }).toEqual([['11.2.0.2:9735']]);
  await expect.poll(told, { timeout: 5000 }).toEqual([{ family: 4, address: '11.2.0.2', before: null }]);
  const [pid = ''] = await scene.owner.pidsOf('main.js daemon');
  await scene.owner.home('kill', '-KILL', pid);
  await scene.owner.type('up');
  await new Promise((resolve) => setTimeout(resolve, 5000));
  expect([await broadcasts(), (await told()).length]).toEqual([[['11.2.0.2:9735']], 1]);
}, 40_000);

it('tells both of a new one, the node when it is there again', async () => {
  await scene.owner.home('touch', ofLnd('off'));
  await scene.on('router', 'ip', 'address', 'del', '11.2.0.2/24', 'dev', 'uplink');
  await scene.on('router', 'ip', 'address', 'add', '11.2.0.9/24', 'dev', 'uplink');
  await scene.on('router', 'ip', 'route', 'replace', 'default', 'via', '11.2.0.1');
  await scene.on('home', 'ip', 'route', 'add', '11.77.0.0/16', 'via', '192.168.50.1');
  const news = { family: 4, address: '11.2.0.9', before: '11.2.0.2' };
  await expect.poll(async () => (await told()).slice(1), { timeout: 20_000 }).toEqual([news]);
  await expect
    .poll(notices, { timeout: 15_000 })
    .toContain(
      'lnd was not told that the home is at 11.2.0.9:9735: the node at 10.64.1.3:8080 did not answer',
    );
  expect(await broadcasts()).toHaveLength(1);
  await scene.owner.home('rm', ofLnd('off'));
  await expect.poll(broadcasts, { timeout: 20_000 }).toEqual([['11.2.0.2:9735'], ['11.2.0.9:9735']]);
  expect(await notices()).not.toContain('lnd was not told');
}, 60_000);

it('is not let to announce a home that it hides, and takes back what it announced', async () => {
  const set = await scene.owner.type('service', 'set', 'lnd', '--privacy', 'tor-only');
  expect(set.stdout + set.stderr).toContain('has privacy tor-only, which hides the home');
  await expect.poll(broadcasts, { timeout: 10_000 }).toEqual([['11.2.0.2:9735'], ['11.2.0.9:9735'], []]);
});
