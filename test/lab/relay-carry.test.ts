import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeKey, type RawHome, RelayCarryLab } from '../support/relay-carry-lab.ts';

/** The relay alone: raw WireGuard peers stand for homes, and tell what the relay told them of visitors. */
const signal = AbortSignal.timeout(180_000);
const MARKER = 'the-marker-of-the-shop';
let scene: RelayCarryLab;
let home: RawHome;
let other: RawHome;

beforeAll(async () => {
  scene = await RelayCarryLab.start(signal);
  ({ home } = await scene.join('home', await scene.firstInvite()));
  await scene.serve('home', MARKER);
}, 60_000);
afterAll(() => scene?.lab.stop());

const pidsOf = async (): Promise<string> => {
  const haproxy = await scene.on('vps', 'pgrep', '-f', 'haproxy -W');
  return `${haproxy}${await scene.on('vps', 'pgrep', '-f', 'wireguard-go -f gwr0')}`;
};

it('passes visitors of a name, a port and a device on, with their addresses', async () => {
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
  expect(await home.ask({ ask: 'status' })).toMatchObject({
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
  await scene.serve('other', 'x');
  await expect
    .poll(() => scene.visit('https://wiki.other.test/'), { timeout: 15_000 })
    .toContain('tls wiki.other.test from 11.4.0.2:');
  // A new name, and a new home, without a reload.
  expect(await pidsOf()).toBe(before);
  const bind = ['--interface', other.tunnel.address, '--max-time', '2'];
  for (const target of [home.tunnel.address, `${home.tunnel.relayAddress}:7443`, '11.4.0.2']) {
    const argv = ['curl', '-sk', ...bind, `http://${target}/`] as unknown as [string, ...string[]];
    await expect(scene.on('other', ...argv)).rejects.toThrow(/ended with (7|28)/);
  }
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
