import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE_INSIDE } from '../../src/lab/index.ts';
import { makeKey, type RawHome, RelayCarryLab } from '../support/relay-carry-lab.ts';

/** The relay alone: raw WireGuard peers stand for homes, and tell what the relay told them of visitors. */
const signal = AbortSignal.timeout(180_000);
const MARKER = 'the-marker-of-the-shop';
let scene: RelayCarryLab;
let home: RawHome;
let other: RawHome;
let homeKey: string;

beforeAll(async () => {
  scene = await RelayCarryLab.start(signal);
}, 60_000);
afterAll(() => scene?.lab.stop());

const pidsOf = async (): Promise<string> => {
  const haproxy = await scene.on('vps', 'pgrep', '-f', 'haproxy -W');
  return `${haproxy}${await scene.on('vps', 'pgrep', '-f', 'wireguard-go -f gwr0')}`;
};

it('passes visitors of a name, a port and a device on, with their addresses', async () => {
  ({ home, privateKey: homeKey } = await scene.join('home', await scene.firstInvite()));
  await scene.serve(home, MARKER);
  const asked = [
    { protocol: 'tcp', from: 9735 },
    { protocol: 'udp', from: 9990, to: 9999 },
  ];
  expect(await home.carry(['pay.shop.test'], asked, true)).toEqual({
    value: {
      names: [{ name: 'pay.shop.test', granted: true }],
      ports: asked.map((port) => ({ ...port, granted: true })),
      devicesPort: 51_821,
    },
  });
  const from = expect.stringMatching(/ from 11\.4\.0\.2:\d+/);
  await expect.poll(() => scene.visit('https://pay.shop.test/'), { timeout: 15_000 }).toEqual(from);
  expect(await scene.visit('https://pay.shop.test/')).toContain(`tls pay.shop.test from 11.4.0.2:`);
  expect(await scene.visit('http://pay.shop.test/x')).toMatch(/^http pay\.shop\.test from 11\.4\.0\.2:\d+/);
  expect(await scene.knock('tcp', 9735)).toMatch(/^tcp from 11\.4\.0\.2:/);
  expect(await scene.knock('udp', 9999)).toMatch(/^udp 9999 from 11\.4\.0\.2:/);
  expect(await scene.knock('udp', 51_821)).toMatch(/^udp 51820 from 11\.4\.0\.2:/);
  await expect
    .poll(() => home.ask({ ask: 'status' }), { timeout: 5000 })
    .toMatchObject({
      value: {
        carrying: {
          tlsPort: 443,
          httpPort: 80,
          names: ['pay.shop.test'],
          handshakeAgeSeconds: expect.any(Number),
          devicesPort: 51_821,
        },
      },
    });
}, 40_000);

it('answers an unknown name with a TLS alert, and has no certificate', async () => {
  expect(await scene.visit('https://nobody.shop.test/')).toMatch(/unrecognized name/);
  expect(await scene.visit('http://nobody.shop.test/')).not.toContain('from');
  expect(await scene.knock('tcp', 9736)).toBe('ECONNREFUSED');
}, 30_000);

it('keeps homes apart: no name, port or address of another, and no way to it', async () => {
  const invite = (await scene.relay('invite', '--json')).stdout;
  ({ home: other } = await scene.join('other', (JSON.parse(invite) as { invite: string }).invite));
  const before = await pidsOf();
  const ports = [9735, 22, 7443, 9800].map((from) => ({ protocol: 'tcp', from }));
  const { value } = await other.carry(['pay.shop.test', 'wiki.other.test'], ports);
  expect(value).toEqual({
    names: [
      { name: 'pay.shop.test', granted: false, why: 'another home of this relay has pay.shop.test' },
      { name: 'wiki.other.test', granted: true },
    ],
    ports: [
      expect.objectContaining({ granted: false, why: expect.stringContaining('another home') }),
      expect.objectContaining({ granted: false, why: 'the relay itself has TCP 22' }),
      expect.objectContaining({ granted: false, why: 'the relay itself has TCP 7443' }),
      { protocol: 'tcp', from: 9800, granted: true },
    ],
    devicesPort: null,
  });
  await scene.serve(other, 'x');
  await expect
    .poll(() => scene.visit('https://wiki.other.test/'), { timeout: 15_000 })
    .toContain('tls wiki.other.test from 11.4.0.2:');
  // A new name, and a new home, without a reload.
  expect(await pidsOf()).toBe(before);
  const from = other.tunnel.address;
  const tries = await Promise.allSettled([
    scene.on('other', 'ping', '-c', '1', '-W', '2', '-I', from, home.tunnel.address),
    scene.on('other', 'ping', '-c', '1', '-W', '2', '-I', from, '11.4.0.2'),
    scene.on('other', 'curl', '-sk', '--max-time', '2', '--interface', from, 'https://11.1.0.2:7443/'),
  ]);
  expect(tries.map((each) => (each.status === 'rejected' ? String(each.reason) : 'got through'))).toEqual([
    expect.stringMatching(/100% packet loss|ended with 1/),
    expect.stringMatching(/100% packet loss|ended with 1/),
    expect.stringContaining('ended with 28'),
  ]);
  // The relay itself is there to be asked whether the tunnel works.
  expect(
    await scene.on('other', 'ping', '-c', '1', '-W', '2', '-I', from, other.tunnel.relayAddress),
  ).toContain(' 0%');
}, 40_000);

it('goes on without its programs, and adopts what runs', async () => {
  const before = await pidsOf();
  await scene.on('vps', 'pkill', '-KILL', '-f', 'relay (up|serve)');
  expect(await scene.visit('https://pay.shop.test/')).toContain('from 11.4.0.2:');
  expect(await scene.knock('tcp', 9735)).toMatch(/^tcp from 11\.4\.0\.2:/);
  await scene.startRelay();
  await scene.said(/"homes":2,"invite":null/);
  expect(await pidsOf()).toBe(before);
  expect(await scene.visit('https://wiki.other.test/')).toContain('from 11.4.0.2:');
  expect(await scene.knock('tcp', 9735)).toMatch(/^tcp from 11\.4\.0\.2:/);
}, 40_000);

it('brings back what ended of what carries visitors', async () => {
  await scene.on('vps', 'pkill', '-KILL', '-f', 'haproxy -W|wireguard-go -f gwr0');
  await scene.on('vps', 'nft', 'flush', 'ruleset');
  const open = () => scene.visit('https://pay.shop.test/');
  await expect.poll(open, { timeout: 25_000, interval: 300 }).toContain('from 11.4.0.2:');
  expect(await scene.knock('tcp', 9735)).toMatch(/^tcp from 11\.4\.0\.2:/);
}, 40_000);

it('can read nothing: no word of a page and no key of a home is in what it hears, remembers or keeps', async () => {
  const capture = join(scene.lab.node('vps').directory, 'heard.pcap');
  const tcpdump = await scene.lab
    .node('vps')
    .detach(['tcpdump', '-Z', 'root', '-i', 'any', '-U', '-w', capture], { logFile: `${capture}.log` });
  await expect.poll(() => readFile(`${capture}.log`, 'utf8'), { timeout: 10_000 }).toContain('listening on');
  for (let count = 0; count < 5; count += 1) {
    expect(await scene.visit('https://pay.shop.test/')).toContain(MARKER);
  }
  const heard = () => readFile(capture);
  // It heard the visit: the name stands in the clear.
  await expect.poll(async () => (await heard()).includes('pay.shop.test'), { timeout: 5000 }).toBe(true);
  process.kill(tcpdump);
  expect((await heard()).includes(MARKER)).toBe(false);
  const pem = await readFile(join(scene.lab.node('home').directory, 'site.pem'), 'utf8');
  const tlsKey = createPrivateKey(pem).export({ format: 'jwk' }).d ?? '';
  const words = [
    Buffer.from(MARKER),
    Buffer.from(homeKey),
    Buffer.from(homeKey, 'base64'),
    Buffer.from(tlsKey, 'base64url'),
    // Its own is found: so the others would be.
    Buffer.from('gateway-relay://'),
  ].map((word) => word.toString('hex'));
  const search = '/opt/gateway/test/support/memory-search-main.ts';
  const told = await scene.on(
    'vps',
    NODE_INSIDE,
    search,
    'haproxy|wireguard-go|relay',
    scene.state,
    ...words,
  );
  expect(told).toMatch(/searched \d{8,} bytes/);
  expect(told).toContain('word 4 in process');
  expect(told.split('\n').filter((line) => /^word [0-3] /.test(line))).toEqual([]);
}, 40_000);

it('cuts a key that was replaced, and a home that was removed, at once', async () => {
  const { privateKey, publicKey } = makeKey();
  expect(await home.ask({ ask: 'rekey', tunnel: { publicKey } })).toEqual({ value: home.tunnel });
  expect(await scene.knock('tcp', 9735)).not.toMatch(/^tcp/);
  await scene.on('home', 'ip', 'link', 'del', 'gwt');
  await home.connect(privateKey);
  await expect.poll(() => scene.knock('tcp', 9735), { timeout: 15_000 }).toMatch(/^tcp from 11\.4\.0\.2:/);
  expect((await scene.relay('remove-home', home.home)).exitCode).toBe(0);
  expect(await scene.knock('tcp', 9735)).toBe('ECONNREFUSED');
  expect(await scene.visit('https://pay.shop.test/')).toMatch(/unrecognized name/);
  expect((await home.ask({ ask: 'status' })).error).toContain('not known here');
  expect(await scene.relay('homes')).toMatchObject({ stdout: expect.not.stringContaining(home.home) });
  expect(await other.carry(['pay.shop.test'])).toMatchObject({ value: { names: [{ granted: true }] } });
}, 40_000);

it('leaves the machine as it was', async () => {
  expect(await scene.relay('down')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('nothing'),
  });
  expect(await scene.on('vps', 'nft', 'list', 'tables')).toBe('');
  expect(await scene.on('vps', 'ip', '-brief', 'link')).not.toContain('gwr0');
  expect(await scene.on('vps', 'cat', '/proc/sys/net/ipv4/ip_forward')).toBe('0\n');
  await expect(scene.on('vps', 'pgrep', '-f', 'haproxy|wireguard-go|relay up')).rejects.toThrow(
    'ended with 1',
  );
}, 30_000);
