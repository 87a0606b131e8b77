import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolled } from '../../src/core/control.ts';
import { DOMAIN, RELAY, RelayShopLab } from '../support/relay-shop-lab.ts';

/** A page for devices alone, from behind three NATs: the relay carries what it cannot read. */
const signal = AbortSignal.timeout(120_000);
let scene: RelayShopLab;

beforeAll(async () => {
  scene = await RelayShopLab.start(signal);
}, 60_000);
afterAll(() => scene?.lab.stop());

it('opens through a relay for a device that was added, and ends what it has open with the device', async () => {
  await scene.demand('relay', 'join', await scene.invite(), '--name', 'vps');
  await scene.setRecord(RELAY);
  const options = ['--via', 'relay', '--domain', DOMAIN, '--access', 'devices', '--no-wait'];
  await scene.demand('expose', 'shop', ...options);
  const added = await scene.owner.json<Enrolled>('device', 'add', 'phone', '--service', 'shop');
  const textOf = (kind: string): string =>
    added.handouts.find((handout) => handout.kind === kind)?.text ?? '';
  const link = new URL(textOf('client-certificate-link'));
  expect(link.host).toBe(DOMAIN);
  await expect.poll(() => scene.open(), { timeout: 60_000 }).toContain('Only devices that were added');
  expect(await scene.open(link.pathname, '-X', 'POST', '-o', '/run/phone.p12')).toBe('');
  const client = ['--cert-type', 'P12', '--cert', `/run/phone.p12:${textOf('client-certificate-password')}`];
  expect(await scene.open('/', ...client)).toContain('x-forwarded-for');

  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const headers = [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='].flatMap((one) => ['-H', one]);
  const held = [
    '--max-time',
    '40',
    '--http1.1',
    '-o',
    '/dev/null',
    '-D',
    '/run/head',
    '-w',
    'after %{http_code} it ended',
  ];
  const socket = scene.open('/', ...client, ...headers, ...held);
  const head = (): Promise<string> => scene.on('visitor', 'dash', '-c', 'cat /run/head 2>/dev/null || true');
  await expect.poll(head, { timeout: 20_000 }).toContain(' 101 ');
  await scene.demand('device', 'revoke', 'phone');
  // By HAProxy's hand, and not because curl had waited for long enough.
  expect(await socket).toMatch(/^after 101 it ended(?!.*timed out)/);
  expect(await scene.open('/', ...client)).toContain('Only devices that were added');
}, 110_000);
