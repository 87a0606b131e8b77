import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { NODE_INSIDE, parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { waitFor } from '../../src/lab/waiting.ts';
import type { Report } from '../../src/doctor/types.ts';
import { Owner } from '../support/owner.ts';

/** A gateway behind two routers of its owner's and a carrier's, and an internet that answers what the doctor asks. */
const signal = AbortSignal.timeout(120_000);
const topology = parseTopology(
  {
    nodes: {
      internet: { resolver: 'none' },
      carrier: { kind: 'router', defaultRoute: '11.2.0.1', nat: { outside: 'uplink' }, resolver: 'none' },
      box: { kind: 'router', defaultRoute: '100.72.0.1', nat: { outside: 'street' }, resolver: 'none' },
      router: { kind: 'router', defaultRoute: '192.168.0.1', nat: { outside: 'boxlan' }, resolver: 'none' },
      home: { defaultRoute: '192.168.1.1', resolver: '11.2.0.1' },
    },
    networks: {
      uplink: { internet: '11.2.0.1/24', carrier: '11.2.0.2/24' },
      street: { carrier: '100.72.0.1/16', box: '100.72.14.9/16' },
      boxlan: { box: '192.168.0.1/24', router: '192.168.0.12/24' },
      lan: { router: '192.168.1.1/24', home: '192.168.1.20/24' },
    },
  },
  'doctor',
);
const PAGES = {
  'network-test.debian.org': 'NetworkManager is online\n',
  'detectportal.firefox.com': 'success\n',
  'nmcheck.gnome.org': 'NetworkManager is online\n',
};
const NAMES = [...Object.keys(PAGES), 'stun.nextcloud.com', 'stun.sipgate.net'];
let lab: Lab;
let owner: Owner;

beforeAll(async () => {
  lab = await startLab(topology, { signal });
  const node = lab.node('internet');
  const file = join(node.directory, 'internet.json');
  const names = Object.fromEntries(NAMES.map((name) => [name, '11.2.0.1']));
  await writeFile(file, JSON.stringify({ names, pages: PAGES }));
  const program = '/opt/gateway/test/support/internet-main.ts';
  await node.detach([NODE_INSIDE, program, file], { logFile: join(node.directory, 'internet.log') });
  const isThere = async (): Promise<boolean> =>
    (await node.run(['ss', '-Hlun'], { signal })).stdout.includes(':53 ');
  await waitFor(isThere, { signal, timeoutMs: 15_000, what: 'the internet answers' });
  owner = new Owner(await LabGateway.prepare(lab, 'home', undefined), signal);
  await owner.type('up');
  const words = ['shop', '--port', '80', '--kind', 'http', '--no-tor', '--via', 'wireguard'];
  await owner.type('service', 'add', ...words);
}, 60_000);
afterAll(() => lab?.stop());

it('tells of the service first, then of the carrier, and of nothing that these explain', async () => {
  const report = await owner.json<Report>('doctor', '--lang', 'en', '--report', fileOf('whole'));
  const open = report.findings.filter(({ dependsOn }) => dependsOn.length === 0);
  const codes = open.filter(({ severity }) => severity !== 'note').map(({ code }) => code);
  expect(codes).toEqual(['SERVICE_SILENT', 'NAT_CARRIER', 'NAT_DOUBLE']);
  const hidden = report.findings.filter(({ dependsOn }) => dependsOn.length > 0);
  expect(hidden).toMatchObject([{ code: 'PORT_NOT_OPENED', dependsOn: ['NAT_CARRIER', 'NAT_DOUBLE'] }]);
  expect(report.verdict.reachable).toMatchObject({ wireguard: 'unknown', onion: null });
  expect(report.nat?.publicV4).toBe('11.2.0.2');
  expect(report.nat?.hops.map(({ wan }) => wan)).toEqual(['192.168.0.12', '100.72.14.9', '11.2.0.2']);
  expect(report.durationMs).toBeLessThan(8000);
  expect(report.changes).toEqual([]);
  // Runs only when it is named.
  expect(report.checks.map(({ name }) => name)).not.toContain('leaks');
}, 30_000);

it('tells a user who may not ask the gateway what it can find out all the same', async () => {
  const argv = owner.gateway.argv('doctor', 'gateway', 'routes', 'mapping', '--offline', '--lang', 'en');
  const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] as const;
  const { stdout } = await lab.node('home').run([...nobody, ...argv], { signal, accept: [0, 1, 2, 3] });
  expect(stdout).toContain('[?] Gateway       runs, but this user may not ask it; sudo gateway doctor');
  expect(stdout).toContain('[✓] Way out       out by lan, 192.168.1.20');
  expect(stdout).toMatch(/\[–\] Router ports {2}needs the gateway/);
}, 20_000);

it('finds a firewall of this machine, and what opens it', async () => {
  const rules =
    'add table inet mine; add chain inet mine input { type filter hook input priority 0; policy drop; };' +
    'add rule inet mine input ct state established accept; add rule inet mine input iif lo accept';
  await owner.home('nft', rules);
  const [finding] = (await owner.json<Report>('doctor', 'firewall')).findings;
  expect(finding).toMatchObject({ code: 'FIREWALL_CLOSED', severity: 'error' });
  const command = finding?.fix[0]?.command ?? '';
  expect(command).toBe('sudo nft insert rule inet mine input udp dport 51820 accept');
  await owner.home('nft', command.replace('sudo nft ', ''));
  expect((await owner.json<Report>('doctor', 'firewall')).findings).toEqual([]);
  await owner.home('nft', 'delete table inet mine');
}, 20_000);

it('writes one file for whoever helps: no name or address in it, and never a key', async () => {
  const whole = await readFile(fileOf('whole'), 'utf8');
  expect(whole).toMatch(/\n\[✗\] 1\. A service does not answer inside this machine: shop\n/);
  expect(whole).toMatch(/\n {2}router 2 +192\.168\.0\.1 -> 100\.72\.14\.9 +probably yours/);
  const typed = ['--report', fileOf('redacted'), '--redact', '--lang', 'en'];
  const { stdout, exitCode } = await owner.type('doctor', ...typed);
  expect(exitCode).toBe(2);
  const redacted = await readFile(fileOf('redacted'), 'utf8');
  for (const known of ['shop', '192.168.1.20', '11.2.0.2']) {
    expect(whole).toContain(known);
    expect(redacted).not.toContain(known);
    expect(stdout).not.toContain(known);
  }
  expect(stdout).toMatch(/\n\[!\] 2\. Your provider shares one public address among customers/);
  expect(stdout).toMatch(/router 2 +<home-address-\d> -> <shared-address-1>/);
  const keys = secretsIn(join(owner.gateway.root, 'lib', 'keys'));
  expect(keys.length).toBeGreaterThan(0);
  for (const key of keys) expect(whole.includes(key), 'a private key').toBe(false);
}, 40_000);

const fileOf = (name: string): string => join(lab.node('home').directory, `${name}.txt`);

/** What lies in the files of the keys, in each way that it could be written. */
function secretsIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const bytes = readFileSync(join(entry.parentPath, entry.name));
      const lines = bytes.toString('latin1').split(/\s+/);
      return [...lines, bytes.toString('base64'), bytes.toString('hex')].filter((text) => text.length >= 32);
    });
}
