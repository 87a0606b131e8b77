import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UpReport } from '../../src/core/control.ts';
import { startDemo, type Demo } from '../../src/lab/demo.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { Owner } from '../support/owner.ts';

/** The house burns down. What is left is one file on a stick, the passphrase in its owner's head, and a phone. */
let demo: Demo;
const signal = AbortSignal.timeout(170_000);

beforeAll(async () => {
  demo = await startDemo({ signal, progress: () => undefined });
}, 120_000);
afterAll(() => demo?.lab.stop());

const wayIn = (provider: string): string =>
  demo.status.services[0]?.ways.find((way) => way.provider === provider)?.address ?? '';

interface HubLink {
  readonly ifname: string;
  readonly stats64: { readonly tx: { readonly bytes: number } };
}

/** What the hub has passed on to visitors so far, in bytes: by the link to tor and by WireGuard. */
async function passedOn(owner: Owner): Promise<number> {
  const hub = ['nsenter', '--net=/run/netns/gw-hub', 'ip', '-json', '-statistics', 'link', 'show'] as const;
  const links = JSON.parse(await owner.home(...hub)) as HubLink[];
  const outward = links.filter(({ ifname }) => ifname !== 'lo' && !ifname.startsWith('s-'));
  return outward.reduce((sum, link) => sum + link.stats64.tx.bytes, 0);
}

it('goes dark at once, although gateway.yaml is broken, and comes back with rollback', async () => {
  const { gateway, phone, visitor } = demo;
  const owner = new Owner(gateway, signal);
  const files = [join(demo.lab.directory, 'by-phone'), join(demo.lab.directory, 'by-visitor')] as const;
  const slowly = (file: string) => ['--limit-rate', '2M', '--max-time', '12', '-o', file];
  const page = '/download?bytes=300000000';
  const options = { signal, timeoutMs: 30_000, accept: [0, 7, 18, 28, 52, 56, 97] };
  const downloads = [
    phone.node.run(['curl', '-sS', ...slowly(files[0]), `${wayIn('wireguard')}${page}`], options),
    visitor.node.run(visitor.curl(`${wayIn('tor')}${page}`, 'dark', ...slowly(files[1])), options),
  ];
  const sizes = (): Promise<number[]> =>
    Promise.all(files.map(async (file) => (await stat(file).catch(() => ({ size: 0 }))).size));
  await expect.poll(async () => Math.min(...(await sizes())), { timeout: 8000 }).toBeGreaterThan(500_000);
  const whole = await owner.config();
  await writeFile(owner.file('etc', 'gateway.yaml'), `${whole}\nservices: [\n`);

  expect(await owner.type('unexpose', '--all', '--now')).toMatchObject({ exitCode: 0 });
  // What Tor held of it on the way may still arrive, however much that is; nothing new leaves the shop but refusals.
  const cut = await passedOn(owner);
  const ended = await Promise.all(downloads);
  expect(ended.map(({ exitCode }) => exitCode)).not.toContain(0);
  expect((await passedOn(owner)) - cut).toBeLessThan(20_000);
  await expect(phone.open(`${wayIn('wireguard')}/`, signal, 3)).rejects.toThrow(/curl/);
  await expect(visitor.open(`${wayIn('tor')}/`, signal, 'dark', 10)).rejects.toThrow(/curl/);
  expect((await gateway.status(signal)).services[0]?.ways).toEqual([]);

  expect((await owner.type('rollback')).exitCode).toBe(0);
  expect(await owner.config()).toBe(whole);
  await owner.until(
    'both ways proved again',
    ({ services }) =>
      services[0]?.ways.length === 2 && services[0].ways.every(({ reachable }) => reachable === 'yes'),
  );
  expect(await phone.open(`${wayIn('wireguard')}/`, signal)).toContain('The corner shop');
}, 120_000);

it('starts again from a backup: same onion, same key, and the phone that scanned long ago gets in', async () => {
  const { gateway, lab, phone } = demo;
  const owner = new Owner(gateway, signal);
  const stick = join(lab.directory, 'stick.backup');
  const passphrase = join(lab.directory, 'passphrase');
  await writeFile(passphrase, 'four words nobody guesses\n', { mode: 0o600 });

  expect(await owner.type('backup', '--passphrase-file', passphrase, stick)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('1 devices'),
  });
  const written = await readFile(stick);
  expect(await owner.type('backup', '--passphrase-file', passphrase, stick)).toMatchObject({ exitCode: 1 });
  expect(await readFile(stick)).toEqual(written);
  // A gateway that runs is not replaced below its feet.
  expect(await owner.type('restore', '--passphrase-file', passphrase, stick)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('AlreadyRunning'),
  });

  await gateway.node.cut();
  await rm(gateway.root, { recursive: true });
  await lab.boot('home', signal);

  const again = await LabGateway.prepare(lab, 'home', undefined);
  await rm(join(again.root, 'etc'), { recursive: true });
  const newOwner = new Owner(again, signal);
  const wrong = join(lab.directory, 'wrong');
  await writeFile(wrong, 'four words somebody guesses\n');
  expect(await newOwner.type('restore', '--passphrase-file', wrong, stick)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('PassphraseWrong'),
  });
  const restored = await newOwner.type('restore', '--passphrase-file', passphrase, stick);
  expect(restored).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1 devices') });

  expect((await newOwner.json<UpReport>('up')).failed).toEqual([]);
  await again.runShop('shop', 80);
  const status = await newOwner.until(
    'both ways proved',
    ({ services }) => services[0]?.ways.every(({ reachable }) => reachable === 'yes') === true,
  );
  expect(status.services[0]?.ways.map(({ address }) => address).sort()).toEqual(
    [wayIn('tor'), wayIn('wireguard')].sort(),
  );
  expect(status.notices).toEqual([]);
  // The code of before, from the picture of before.
  await phone.leave(signal);
  await phone.scan(join(lab.directory, 'phone.png'), signal);
  expect(await phone.open(`${wayIn('wireguard')}/`, signal)).toContain('The corner shop');
  // Somebody new: a Tor client that was there before waits for the descriptor that it holds to fail.
  const newcomer = await TorVisitor.start(lab, 'vps');
  await newcomer.bootstrapped(signal);
  expect(await newcomer.open(`${wayIn('tor')}/`, signal)).toContain('The corner shop');
}, 170_000);
