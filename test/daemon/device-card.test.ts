import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { providers } from '../../providers/index.ts';
import { cardPage, readCardPage } from '../../src/cli/card-page.ts';
import type { Keys } from '../../src/core/ports.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Status } from '../../src/core/status.ts';
import { checkCard, makeCard, type CardOptions } from '../../src/daemon/device-card.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { cliGateway } from '../support/cli-gateway.ts';
import { device, ONION, service, status, way } from '../support/recording-control.ts';

const VPN = 'http://10.64.1.2';
const KEY_NEEDED = 'the key of a device that was added';
const vpn = way({
  provider: 'wireguard',
  provedAt: null,
  addresses: [{ url: VPN, network: 'vpn', clientNeeds: ['a device that was added'] }],
});
const shop = service('shop', { ways: [way(), vpn] });
const vault = service('vault', {
  ways: [way({ addresses: [{ url: 'http://vault.onion', network: 'onion', clientNeeds: [KEY_NEEDED] }] })],
});
const world: Status = status({
  services: [
    { ...shop, fallback: { ...shop.fallback!, order: ['wireguard', 'tor'], way: 'tor', isFallback: true } },
    vault,
    service('books', { ways: [way({ phase: 'rejected' }), way({ provider: 'clearnet' })] }),
  ],
  devices: [
    device('phone', { services: ['shop', 'vault'], publicKey: encodeKey(new Uint8Array(32).fill(1)) }),
    device('laptop', { services: ['shop', 'books'], publicKey: encodeKey(new Uint8Array(32).fill(2)) }),
    device('reader', { services: ['shop', 'vault'], publicKey: null, onionKey: 'k' }),
  ],
});
const options: CardOptions = {
  reporter: { report: () => Promise.resolve(world) },
  ports: {
    now: () => Date.parse('2026-01-02T04:00:00Z'),
    keys: {
      read: (name: string) => Promise.resolve(new Secret(Buffer.from(name.padEnd(32)))),
    } as unknown as Keys,
  },
  providers,
};

it('has only what the device was given and can use, first choice first, with the time of the last proof', async () => {
  const { text } = await makeCard(options, 'phone');
  expect(text).toBe(`Ways in for phone, as of 2026-01-02 04:00 UTC. Try them from the top.

shop
  1. ${VPN}
     wireguard; needs a device that was added
     never proved from outside
  2. ${ONION}
     tor, in use; needs Tor Browser or another Tor client
     last proved from outside 2026-01-02 03:04 UTC

vault
  no way in for this device
`);
  expect((await makeCard(options, 'reader')).services.map(({ ways }) => ways.map(({ url }) => url))).toEqual([
    [ONION],
    ['http://vault.onion'],
  ]);
  // Neither a way that its rule forbids, nor one that never takes over.
  expect((await makeCard(options, 'laptop')).services[1]).toEqual({ name: 'books', ways: [] });
  await expect(makeCard(options, 'nobody')).rejects.toMatchObject({ code: 'DeviceUnknown' });
});

it('has a code that holds for this text and this device alone', async () => {
  const { text, code } = await makeCard(options, 'phone');
  expect(await checkCard(options, 'phone', { text, code: code ?? '' })).toEqual({ isGenuine: true });
  expect(await checkCard(options, 'laptop', { text, code: code ?? '' })).toEqual({ isGenuine: false });
  const forged = text.replace(ONION, `http://${'b'.repeat(56)}.onion`);
  expect(await checkCard(options, 'phone', { text: forged, code: code ?? '' })).toEqual({ isGenuine: false });
  expect(await checkCard(options, 'phone', { text, code: 'AA' })).toEqual({ isGenuine: false });
  expect((await makeCard(options, 'reader')).code).toBeNull();
  await expect(checkCard(options, 'reader', { text, code: 'AA' })).rejects.toMatchObject({
    code: 'NotSupported',
  });
});

it('is one page without scripts that loads nothing, and says its text back unchanged', async () => {
  const card = await makeCard(options, 'phone');
  const odd = { ...card, text: `${card.text}<b>&amp;"` };
  const page = cardPage(odd);
  expect(readCardPage(page)).toEqual({ text: odd.text, code: card.code });
  expect(page).not.toMatch(/<script|<b>|src=|@import|url\(/i);
  expect(page).toContain("default-src 'none'");
  expect(page.match(/<svg /g)).toHaveLength(2);
  expect(readCardPage('<p>something else')).toBeUndefined();
});

it('is written by a command, and checked by it', async () => {
  const gateway = await cliGateway({
    deviceCard: (name) => makeCard(options, name),
    checkCard: (name, card) => checkCard(options, name, card),
  });
  const file = join(gateway.directory, 'phone.html');
  expect(await gateway.run('device', 'card', 'phone', '--html', file)).toMatchObject({ exitCode: 0 });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await gateway.run('device', 'card', 'phone', '--check', file)).toMatchObject({
    exitCode: 0,
    stdout: 'It is genuine.',
  });
  const page = await readFile(file, 'utf8');
  await writeFile(file, page.replace('never proved from outside', 'proved just now'));
  expect((await gateway.run('device', 'card', 'phone', '--check', file)).exitCode).toBe(1);
  await gateway.close();
});
