import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RelayStatus } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { Owner } from '../support/owner.ts';

/** One command at home, and a machine on which nothing of ours was is a relay that was joined; by a real sshd. */
const topology = parseTopology(
  {
    nodes: {
      core: { kind: 'router' },
      home: { defaultRoute: '11.3.0.1' },
      vps: { defaultRoute: '11.1.0.1' },
    },
    networks: {
      hosting: { core: '11.1.0.1/24', vps: '11.1.0.2/24' },
      homes: { core: '11.3.0.1/24', home: '11.3.0.2/24' },
    },
  },
  'relay-add',
);
const signal = AbortSignal.timeout(150_000);
let lab: Lab;
let owner: Owner;

const on = async (node: string, ...argv: [string, ...string[]]): Promise<string> =>
  (await lab.node(node).run(argv, { signal })).stdout;

beforeAll(async () => {
  lab = await startLab(topology, { signal });
  // What these nodes have of the machine's own, and what must not be written there.
  for (const node of ['home', 'vps'])
    await on(node, 'mount', '-t', 'tmpfs', '-o', 'mode=700', 'none', '/root');
  for (const path of ['/opt/gateway', '/usr/local']) await on('vps', 'mount', '-t', 'tmpfs', 'none', path);
  await startSshd();
  owner = new Owner(await LabGateway.prepare(lab, 'home', 'services: {}\n'), signal);
  expect((await owner.type('up')).exitCode).toBe(0);
}, 60_000);
afterAll(() => lab?.stop());

/** Keys for both, each knowing the other: what an owner has who was there once. */
async function startSshd(): Promise<void> {
  const [home, vps] = [lab.node('home').directory, lab.node('vps').directory];
  await mkdir(join(vps, 'ssh'));
  await on('home', 'ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(home, 'id'));
  await on('vps', 'ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(vps, 'ssh/host'));
  const hostKey = await readFile(join(vps, 'ssh/host.pub'), 'utf8');
  await writeFile(join(home, 'known'), `11.1.0.2 ${hostKey}`);
  await on('home', 'install', '-d', '-m', '700', '/root/.ssh');
  const config = `Host *\n IdentityFile ${home}/id\n UserKnownHostsFile ${home}/known\n BatchMode yes\n`;
  await writeFile(join(home, 'ssh-config'), config);
  await on('home', 'install', '-m', '600', join(home, 'ssh-config'), '/root/.ssh/config');
  await writeFile(
    join(vps, 'ssh/config'),
    `HostKey ${vps}/ssh/host
AuthorizedKeysFile ${home}/id.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
Subsystem sftp internal-sftp
SetEnv GATEWAY_TOOLS=/opt/gateway-tools PATH=/usr/sbin:/usr/bin:/sbin:/bin:/opt/gateway-tools/bin
`,
  );
  await on('vps', 'mkdir', '-p', '/run/sshd');
  const { stdout } = await lab.node('vps').run(['cat', '/etc/passwd'], { signal });
  if (!/^sshd:/m.test(stdout)) {
    const line = 'sshd:x:64700:65534::/run/sshd:/usr/sbin/nologin\n';
    await lab.node('vps').run(['tee', '-a', '/etc/passwd'], { signal, input: line });
  }
  const sshd = '/opt/gateway-tools/bin/sshd';
  await lab.node('vps').detach([sshd, '-D', '-e', '-f', join(vps, 'ssh/config')], {
    logFile: join(vps, 'sshd.log'),
  });
}

it('installs, starts and joins, and changes nothing when said again', async () => {
  const added = await owner.type('relay', 'add', 'ssh://root@11.1.0.2', '--name', 'vps');
  expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('joined as vps') });
  const [relay] = await owner.json<RelayStatus[]>('relay', 'list');
  expect(relay).toMatchObject({ name: 'vps', address: '11.1.0.2:7443', state: 'up' });
  expect(await on('vps', 'gateway', 'relay', 'homes')).toMatch(/^[0-9a-f]{16} {2}joined/);
  expect(await on('vps', 'pgrep', '-af', 'relay serve')).toContain('/opt/gateway/versions/');
  // Nothing of home's own stays there.
  expect(await on('vps', 'find', '/root', '-type', 'f')).toBe('');
  const again = await owner.type('relay', 'add', 'ssh://root@11.1.0.2');
  expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('joined before as vps') });
  expect(await owner.json<RelayStatus[]>('relay', 'list')).toHaveLength(1);
}, 90_000);

it('says what is wrong, and leaves nothing, when it cannot', async () => {
  const away = await owner.type('relay', 'add', 'ssh://root@11.1.0.2:2222');
  expect(away).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('cannot be reached by ssh') });
  expect(away.stderr).toContain('ssh -p 2222 root@11.1.0.2');
}, 20_000);
