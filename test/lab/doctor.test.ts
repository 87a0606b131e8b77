import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE_INSIDE, parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { waitFor } from '../../src/lab/waiting.ts';
import { Report } from '../../src/doctor/types.ts';

/** One home behind one router, an internet that answers what the doctor asks, and one fault after the other. */
const signal = AbortSignal.timeout(120_000);
const topology = parseTopology(
  {
    nodes: {
      internet: { resolver: 'none' },
      router: { kind: 'router', defaultRoute: '11.2.0.1', nat: { outside: 'uplink' }, resolver: 'none' },
      home: { defaultRoute: '192.168.50.1', resolver: '11.2.0.1' },
    },
    networks: {
      uplink: { internet: ['11.2.0.1/24', '11.2.0.3/24'], router: '11.2.0.2/24' },
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
    },
  },
  'doctor',
);

const DEBIAN = 'network-test.debian.org';
const MOZILLA = 'detectportal.firefox.com';
const GNOME = 'nmcheck.gnome.org';
const HEALTHY = {
  names: {
    [DEBIAN]: '11.2.0.1',
    [MOZILLA]: '11.2.0.3',
    [GNOME]: '11.2.0.1',
    'stun.nextcloud.com': '11.2.0.1',
    'stun.sipgate.net': '11.2.0.3',
  },
  pages: {
    [DEBIAN]: 'NetworkManager is online\n',
    [MOZILLA]: 'success\n',
    [GNOME]: 'NetworkManager is online\n',
  },
};
const PROGRAM = '/opt/gateway/test/support/internet-main.ts';
let lab: Lab;

const on = async (node: string, ...argv: [string, ...string[]]): Promise<string> =>
  (await lab.node(node).run(argv, { signal })).stdout;
const fileOf = (node: string): string => join(lab.node(node).directory, 'internet.json');
const become = (node: string, more: object): Promise<void> =>
  writeFile(fileOf(node), JSON.stringify({ ...HEALTHY, ...more }));

async function serve(node: string, port: number): Promise<void> {
  await become(node, {});
  const argv = [NODE_INSIDE, PROGRAM, fileOf(node), `${port}`] as const;
  await lab.node(node).detach(argv, { logFile: join(lab.node(node).directory, 'internet.log') });
  // Of the internet, what is bound last.
  const last = port === 80 ? ':53 ' : `:${port} `;
  const isThere = async (): Promise<boolean> => (await on(node, 'ss', '-Hltun')).includes(last);
  await waitFor(isThere, { signal, timeoutMs: 15_000, what: `${node} answers` });
}

beforeAll(async () => {
  lab = await startLab(topology, { signal });
  // Those who are asked by address where names are not found.
  await on('internet', 'ip', 'address', 'add', '9.9.9.9/32', 'dev', 'lo');
  await Promise.all([serve('internet', 80), serve('router', 8080)]);
}, 60_000);
afterAll(() => lab?.stop());

async function examine(...words: string[]): Promise<{ code: number; report: Report }> {
  const root = join(lab.node('home').directory, 'gw');
  const argv = ['/opt/gateway/bin/gateway', '--root', root, 'doctor', '--json', ...words] as const;
  const { stdout, exitCode } = await lab.node('home').run(argv, { signal, accept: [0, 1, 2, 3] });
  return { code: exitCode, report: Report.parse(JSON.parse(stdout)) };
}

/** What is shown to people: findings that no deeper one explains. */
async function shown(...words: string[]): Promise<string[]> {
  const { report } = await examine(...words);
  return report.findings.filter(({ dependsOn }) => dependsOn.length === 0).map(({ code }) => code);
}

const nft = (node: string, rules: string): Promise<string> => on(node, 'nft', rules);
const DROPS =
  'add table inet fault; add chain inet fault forward { type filter hook forward priority -10; };';

async function withFault<Value>(rules: string, look: () => Promise<Value>): Promise<Value> {
  await nft('router', rules);
  try {
    return await look();
  } finally {
    await nft('router', 'delete table inet fault');
  }
}

const LINE = ['web', 'dns', 'udp', 'egress', 'clock', 'routes', 'mtu', 'ipv6', 'ports'];

it('finds nothing on a line that is well, and says what works', async () => {
  const { code, report } = await examine(...LINE);
  const states = Object.fromEntries(
    report.checks.map(({ name, state, text }) => [name, `${state}: ${text}`]),
  );
  expect(states).toMatchObject({
    routes: 'ok: out by lan, 192.168.50.10, to the router 192.168.50.1',
    web: expect.stringMatching(/^ok: pages come through/),
    dns: expect.stringMatching(/^ok: names are found/),
    udp: 'ok: comes through; the world sees 11.2.0.2',
    ipv6: 'ok: this line has none; nothing needs it',
    mtu: 'ok: come through (1500 bytes)',
    clock: 'ok: right',
  });
  expect(report.findings).toEqual([]);
  expect(code).toBe(0);
}, 20_000);

it('finds a clock that is two days behind', async () => {
  await become('internet', { skewMs: 2 * 86_400_000 });
  const { code, report } = await examine('clock');
  await become('internet', {});
  expect(report.findings).toMatchObject([
    { code: 'CLOCK_WRONG', title: "This machine's clock is 2 days behind", because: ['clock.date'] },
  ]);
  expect(code).toBe(1);
}, 20_000);

it('finds a sign-in page, and not what it breaks', async () => {
  await become('router', { portal: 'http://hotel.test/welcome' });
  const rules =
    'add table inet fault; add chain inet fault pre { type nat hook prerouting priority -110; };' +
    'add rule inet fault pre iifname "lan" tcp dport 80 redirect to :8080';
  const { report } = await withFault(rules, () => examine('web', 'clock'));
  expect(report.findings.map(({ code }) => code)).toEqual(['WEB_SIGN_IN']);
  expect(report.findings[0]?.fix[0]?.text).toContain('Open http://hotel.test/welcome in a browser');
  // A clock is not believed that a sign-in page shows.
  expect(report.checks.find(({ name }) => name === 'clock')?.state).toBe('unknown');
}, 20_000);

it('finds that UDP is blocked, but for names', async () => {
  const rules = `${DROPS} add rule inet fault forward iifname lan udp dport != 53 drop`;
  expect(await withFault(rules, () => shown('web', 'dns', 'udp'))).toEqual(['UDP_BLOCKED']);
}, 20_000);

it('finds that only the web is let out', async () => {
  const rules = `${DROPS} add rule inet fault forward iifname lan tcp dport != { 80, 443 } drop`;
  expect(await withFault(rules, () => shown('web', 'egress'))).toEqual(['EGRESS_FILTERED']);
}, 20_000);

it('finds servers for names that are silent, on a line that works', async () => {
  const rules = `${DROPS} add rule inet fault forward udp dport 53 drop; add rule inet fault forward tcp dport 53 drop`;
  const { report } = await withFault(rules, () => examine('web', 'dns'));
  const open = report.findings.filter(({ dependsOn }) => dependsOn.length === 0);
  expect(open.map(({ code }) => code)).toEqual(['DNS_SILENT']);
  expect(open[0]?.seen).toContain('11.2.0.1');
}, 20_000);

it('says that the line is down when it is, and nothing else', async () => {
  const rules = `${DROPS} add rule inet fault forward drop`;
  expect(await withFault(rules, () => shown('web', 'dns', 'clock'))).toEqual(['WEB_NONE']);
}, 25_000);

it('finds large packets that vanish, and how large they may be', async () => {
  await on('router', 'ip', 'link', 'set', 'uplink', 'mtu', '1400');
  const rules =
    'add table inet fault; add chain inet fault out { type filter hook output priority 0; };' +
    'add rule inet fault out icmp type destination-unreachable drop';
  const { report } = await withFault(rules, () => examine('mtu'));
  const told = await examine('mtu');
  await on('router', 'ip', 'link', 'set', 'uplink', 'mtu', '1500');
  expect(report.findings).toMatchObject([{ code: 'MTU_BLACK_HOLE' }]);
  expect(report.findings[0]?.seen).toContain('none of 1500 bytes; up to 1400 come through');
  // A router that says so breaks nothing.
  expect(told.report.findings).toEqual([]);
}, 25_000);

it('finds IPv6 that is there and leads nowhere', async () => {
  await become('internet', { names6: { [DEBIAN]: '2b00:9::1', [MOZILLA]: '2b00:9::2' } });
  await on('home', 'ip', '-6', 'address', 'add', '2b00:1::10/64', 'dev', 'lan', 'nodad');
  await on('home', 'ip', '-6', 'route', 'add', 'default', 'via', '2b00:1::1', 'dev', 'lan');
  await on('router', 'ip', '-6', 'address', 'add', '2b00:1::1/64', 'dev', 'lan', 'nodad');
  expect(await shown('ipv6')).toEqual(['IPV6_BROKEN']);
  await on('home', 'ip', '-6', 'route', 'del', 'default');
  await become('internet', {});
}, 20_000);

it('finds a second router, a VPN, and a machine without a network', async () => {
  await on('home', 'ip', 'link', 'add', 'wifi', 'type', 'veth', 'peer', 'name', 'wifi-end');
  await on('home', 'ip', 'address', 'add', '192.168.77.2/24', 'dev', 'wifi');
  for (const end of ['wifi', 'wifi-end']) await on('home', 'ip', 'link', 'set', end, 'up');
  await on('home', 'ip', 'route', 'add', 'default', 'via', '192.168.77.1', 'metric', '600');
  expect(await shown('routes')).toEqual(['ROUTE_TWO']);
  await on('home', 'ip', 'link', 'del', 'wifi');
  const vpn = await lab.node('home').detach(['wireguard-go', '-f', 'vpn0'], {
    logFile: join(lab.node('home').directory, 'vpn.log'),
    env: { LOG_LEVEL: 'error' },
  });
  // Its socket is the last thing that it makes.
  const isReady = async (): Promise<boolean> =>
    (await on('home', 'ls', '/run/wireguard')).includes('vpn0.sock') &&
    (await on('home', 'ip', '-o', 'link')).includes(' vpn0:');
  await waitFor(isReady, { signal, timeoutMs: 10_000, what: 'the VPN is there' });
  await on('home', 'ip', 'address', 'add', '10.8.0.2/24', 'dev', 'vpn0');
  await on('home', 'ip', 'link', 'set', 'vpn0', 'up');
  // As OpenVPN does: two halves, both more exact than the default route.
  for (const half of ['0.0.0.0/1', '128.0.0.0/1'])
    await on('home', 'ip', 'route', 'add', half, 'dev', 'vpn0');
  expect(await shown('routes')).toEqual(['ROUTE_VPN']);
  process.kill(vpn);
  await on('home', 'ip', 'route', 'del', 'default');
  const alone = await shown('routes', 'web', 'dns', 'udp', 'clock', 'ipv6');
  await on('home', 'ip', 'route', 'add', 'default', 'via', '192.168.50.1');
  expect(alone).toEqual(['ROUTE_NONE']);
}, 25_000);

it('names who has a port that pages need', async () => {
  const server = 'require("node:http").createServer().listen(80)';
  const pid = await lab.node('home').detach([NODE_INSIDE, '-e', server], { logFile: '/dev/null' });
  await waitFor(async () => (await on('home', 'ss', '-Hltn')).includes(':80 '), {
    signal,
    timeoutMs: 10_000,
    what: 'the port is taken',
  });
  const { report } = await examine('ports');
  process.kill(pid);
  expect(report.findings).toMatchObject([
    {
      code: 'PORT_TAKEN',
      severity: 'note',
      title: expect.stringMatching(/^Port 80 .* taken by (?!a program)/),
    },
  ]);
}, 20_000);

it('finds a disk that is full, and one that cannot be written to', async () => {
  const root = join(lab.node('home').directory, 'gw');
  await on('home', 'mkdir', '-p', root);
  await on('home', 'mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', root);
  expect(await shown('disk')).toEqual(['DISK_FULL']);
  await on('home', 'mount', '-o', 'remount,ro', root);
  expect(await shown('disk')).toEqual(['DISK_READ_ONLY']);
  await on('home', 'umount', root);
}, 20_000);
