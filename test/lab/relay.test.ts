import { appendFile, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RelayStatus } from '../../src/core/status.ts';
import type { Report } from '../../src/doctor/types.ts';
import { RelayLab } from '../support/relay-lab.ts';

/** From an invite to a way that was proved from outside, and everything that can go wrong on the way. */
const signal = AbortSignal.timeout(180_000);
let scene: RelayLab;

beforeAll(async () => {
  scene = await RelayLab.start('', signal);
}, 60_000);
afterAll(() => scene?.lab.stop());

it('runs on a machine outside without root, and prints an invite that joins once', async () => {
  const { listening, invite } = await scene.invite();
  const { owner } = scene;
  expect(listening).toEqual(['11.1.0.2:7443', '11.1.0.3:7443']);
  expect((await owner.type('relay', 'list')).stdout).toContain('No relays yet.');
  const joined = await owner.json<RelayStatus>('relay', 'join', invite ?? '', '--name', 'vps');
  expect(joined).toMatchObject({ name: 'vps', state: 'up', observed: '11.2.0.2', message: '' });
  const again = await owner.type('relay', 'join', invite ?? '');
  expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('RelayRefused: ') });
  expect(again.stderr).toContain('this invite was used');
  expect(await owner.config()).toMatch(/\nrelays:\n {2}vps:\n {4}address: 11\.1\.0\.2:7443\n/);
  expect(await owner.config()).not.toContain(invite?.split('/').at(-1));
}, 40_000);

it('proves a forwarded port by a handshake from the second address', async () => {
  await scene.reaches('yes', 'relay');
  expect(await scene.said(/"from":"11\.1\.0\.3","outcome":"answered","bytes":92/)).not.toContain('secret');
  expect(await scene.owner.home('ip', 'netns', 'exec', 'gw-hub', 'wg', 'show', 'gwwg0', 'peers')).toBe('');
  expect((await scene.owner.gateway.status(signal)).devices).toEqual([]);
}, 40_000);

it('helps the doctor to count routers that translate, in a quick look as far as addresses prove it', async () => {
  const looked = await scene.owner.type('doctor', 'nat', '--json');
  const { nat, evidence } = JSON.parse(looked.stdout) as Report;
  expect(nat).toMatchObject({
    count: { min: 1, max: 1, exact: false, likely: 1, doubts: ['state'] },
    hops: [{ lan: '192.168.50.1', wan: '11.2.0.2', translates: 'yes', owner: 'yours' }],
    publicV4: '11.2.0.2',
    mapping: 'endpoint-independent',
  });
  expect(evidence).toContainEqual(expect.objectContaining({ method: 'opener', raw: { outermost: 1 } }));
}, 40_000);

it('is told by home whom to tell when that dies, once the owner wants it', async () => {
  const { owner } = scene;
  const to = '[{ by: webhook, url: "http://11.1.0.9/hook" }]';
  const said = `notify: { to: ${to}, about: [], whenHomeDies: true }\n`;
  await appendFile(join(owner.gateway.root, 'etc', 'gateway.yaml'), said);
  expect((await owner.type('up')).exitCode).toBe(0);
  const [home = ''] = await readdir(join(scene.state, 'homes'));
  const kept = (): Promise<string> => readFile(join(scene.state, 'watched', home), 'utf8').catch(String);
  await expect.poll(kept, { timeout: 15_000 }).toContain('"url":"http://11.1.0.9/hook"');
}, 30_000);

it('says no when the router stops to forward, and yes again when it does', async () => {
  await scene.on('router', 'nft', 'flush', 'chain', 'ip', 'nat', 'prerouting');
  await scene.visitNow();
  await scene.reaches('no', 'relay');
  expect(await scene.detail()).toContain('nothing comes back from UDP 11.2.0.2:51820, says the relay vps');
  const forward = 'iifname "uplink" udp dport 51820 dnat to 192.168.50.10:51820';
  await scene.on('router', 'nft', 'add', 'rule', 'ip', 'nat', 'prerouting', ...forward.split(' '));
  await scene.visitNow();
  await scene.reaches('yes', 'relay');
}, 60_000);

it('does not call it closed when UDP does not get through to anything', async () => {
  const block = 'iifname "uplink" meta l4proto udp ip saddr 11.1.0.0/24 drop';
  await scene.on('router', 'nft', 'insert', 'rule', 'ip', 'filter', 'forward', ...block.split(' '));
  await scene.visitNow();
  await scene.reaches('unknown', 'none');
  expect(await scene.detail()).toContain(
    'UDP between here and the relay vps (11.1.0.3) does not get through',
  );
  await scene.on('router', 'nft', 'flush', 'chain', 'ip', 'filter', 'forward');
  await scene.on('router', 'nft', 'add', 'rule', 'ip', 'filter', 'forward', 'accept');
}, 40_000);

it('knows nothing while the relay does not answer, and looks again when it does', async () => {
  await scene.on('vps', 'pkill', '-f', 'relay up');
  expect(await scene.owner.type('relay', 'list')).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('! vps: the relay at 11.1.0.2:7443 cannot be used'),
  });
  await scene.visitNow();
  await scene.reaches('unknown', 'none');
  await expect
    .poll(() => scene.detail(), { timeout: 15_000 })
    .toContain('no relay could look: the relay at 11.1.0.2:7443 cannot be used');
  await scene.startRelay();
  await scene.said(/"listening":.*"homes":1,"invite":null/);
  await scene.visitNow();
  await scene.reaches('yes', 'relay');
}, 60_000);

it('is left on both sides, with its key', async () => {
  const { owner } = scene;
  const home = /home: "?([0-9a-f]{16})/.exec(await owner.config())?.[1] ?? '';
  const homes = join(scene.state, 'homes');
  expect(await readdir(homes)).toEqual([home]);
  const key = owner.file('lib', 'keys', 'relay', 'vps.key');
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  expect((await owner.type('relay', 'remove', 'vps')).exitCode).toBe(0);
  expect(await readdir(homes)).toEqual([]);
  expect(await readdir(join(scene.state, 'watched'))).toEqual([]);
  await expect(stat(key)).rejects.toThrow('ENOENT');
  expect(await owner.config()).not.toContain(home);
  expect(await owner.type('relay', 'remove', 'vps')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('RelayUnknown: there is no relay vps'),
  });
}, 20_000);
