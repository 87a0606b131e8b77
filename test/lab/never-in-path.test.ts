import { afterAll, beforeAll, expect, it } from 'vitest';
import { join } from 'node:path';
import { Phone } from '../../src/lab/actors/phone.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { startDemo, type Demo } from '../../src/lab/demo.ts';
import type { PlanReport, UpReport } from '../../src/core/control.ts';

/**
 * The first promise: the daemon and the helper are never in the data path. Both are killed while a phone downloads
 * through WireGuard and a visitor through the onion.
 */
let demo: Demo;
const signal = AbortSignal.timeout(300_000);

beforeAll(async () => {
  demo = await startDemo({ progress: () => undefined, signal });
}, 120_000);
afterAll(async () => demo?.lab.stop());

const PHONE_BYTES = 60_000_000;
const ONION_BYTES = 6_000_000;

const addressOf = (provider: string): string =>
  demo.status.services[0]?.ways.find((way) => way.provider === provider)?.address ?? '';

const download = (url: string, bytes: number, rate: string): [string, ...string[]] => [
  ...(['curl', '-sS', '--fail', '--max-time', '90', '-w', '%{size_download}', '-o', '/dev/null'] as const),
  '--limit-rate',
  rate,
  `${url}/download?bytes=${bytes}`,
];

/** Process ids at home, by what they run. */
async function pidsOf(pattern: string): Promise<string[]> {
  const { stdout } = await demo.gateway.node.run(['pgrep', '-f', pattern], { signal, accept: [0, 1] });
  return stdout.split('\n').filter((line) => line !== '');
}

it('lets downloads finish and new visitors in while daemon and helper are dead, and adopts what runs', async () => {
  const { gateway, lab, phone, visitor } = demo;
  // A device that was added while the daemon lived, and connects for the first time when it is dead.
  const code = join(lab.directory, 'laptop.png');
  await gateway.command(signal, 'device', 'add', 'laptop', '--service', 'shop', '--no-wait', '--png', code);
  const [overWireguard, overTor] = [addressOf('wireguard'), addressOf('tor')];
  const dataPath = async () => ({
    tor: await pidsOf('^([^ ]*/)?tor '),
    wireguard: await pidsOf('^([^ ]*/)?wireguard-go '),
  });
  const before = await dataPath();
  expect(before.tor).toHaveLength(1);

  const byPhone = phone.node.run(download(overWireguard, PHONE_BYTES, '8M'), { signal, timeoutMs: 100_000 });
  const torCurl = visitor.curl(`${overTor}/download?bytes=${ONION_BYTES}`, 'download');
  const byVisitor = visitor.node.run(
    [...torCurl, '--limit-rate', '900k', '-o', '/dev/null', '-w', '%{size_download}'],
    { signal, timeoutMs: 100_000 },
  );
  await new Promise((resolve) => setTimeout(resolve, 1500));

  // A program that one of them just starts bears its name for a moment.
  const ours = async () => [...(await pidsOf('main.js daemon')), ...(await pidsOf('main.js helper'))];
  await expect.poll(ours, { timeout: 10_000 }).toHaveLength(2);
  const killed = await ours();
  await gateway.node.run(['kill', '-KILL', ...killed], { signal });
  await expect(gateway.status(signal)).rejects.toThrow(/DaemonUnreachable/);

  // New visitors, while nobody is there to help them: a first handshake, a Tor client that knows nothing yet.
  const laptop = new Phone(lab.node('vps'));
  await laptop.scan(code, signal);
  expect(await laptop.open(`${overWireguard}/`, signal)).toContain('The corner shop');
  const newcomer = await TorVisitor.start(lab, 'vps');
  await newcomer.bootstrapped(signal);
  expect(await newcomer.open(`${overTor}/`, signal)).toContain('The corner shop');
  expect(await phone.open(`${overWireguard}/`, signal)).toContain('The corner shop');
  expect(Number((await byPhone).stdout)).toBe(PHONE_BYTES);
  expect(Number((await byVisitor).stdout)).toBe(ONION_BYTES);

  const up = await gateway.json<UpReport>(signal, 'up');
  expect(up.changes).toEqual([]);
  expect(up.failed).toEqual([]);
  expect((await gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
  expect(await dataPath()).toEqual(before);
  await gateway.until(
    'both ways proved again',
    ({ services }) => services[0]?.ways.every(({ reachable }) => reachable === 'yes') === true,
    signal,
  );
}, 180_000);
