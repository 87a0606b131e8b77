import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport, UpReport } from '../../src/core/control.ts';
import type { Status } from '../../src/core/status.ts';
import { startDemo, type Demo } from '../../src/lab/demo.ts';

/**
 * A home that is treated badly, again and again: daemon and helper are killed under downloads, the power is cut. CI takes
 * a few rounds, `npm run soak` the full count.
 */
const isFull = process.env['GATEWAY_SOAK'] !== undefined;
const KILLS = isFull ? 100 : 5;
const POWER_CUTS = isFull ? 20 : 2;
const PHONE_BYTES = 16_000_000;
const ONION_BYTES = 1_800_000;

let demo: Demo;
const signal = AbortSignal.timeout((KILLS + POWER_CUTS) * 60_000);

beforeAll(async () => {
  demo = await startDemo({ progress: () => undefined, signal });
}, 120_000);
afterAll(async () => demo?.lab.stop());

const addressesOf = (status: Status) =>
  status.services.flatMap(({ ways }) => ways.map(({ address }) => address));
const addressOf = (provider: string): string =>
  demo.status.services[0]?.ways.find((way) => way.provider === provider)?.address ?? '';
const isProved = ({ services }: Status): boolean =>
  services.every(({ ways }) => ways.length === 2 && ways.every(({ reachable }) => reachable === 'yes'));

/** Kills what matches with SIGKILL; the pattern is of the whole command line. */
async function kill(pattern: string): Promise<void> {
  await demo.gateway.node.run(['pkill', '-KILL', '-f', pattern], { signal, accept: [0, 1] });
}

function downloads(round: number): Promise<number[]> {
  const { phone, visitor } = demo;
  const quiet = ['-o', '/dev/null', '-w', '%{size_download}'];
  const overWireguard = `${addressOf('wireguard')}/download?bytes=${PHONE_BYTES}`;
  const overTor = visitor.curl(`${addressOf('tor')}/download?bytes=${ONION_BYTES}`, `round${round}`);
  const running = [
    phone.node.run(
      ['curl', '-sS', '--fail', '--max-time', '60', '--limit-rate', '6M', ...quiet, overWireguard],
      {
        signal,
        timeoutMs: 70_000,
      },
    ),
    visitor.node.run([...overTor, '--limit-rate', '700k', ...quiet], { signal, timeoutMs: 70_000 }),
  ];
  return Promise.all(running.map(async (download) => Number((await download).stdout)));
}

it(
  `${KILLS} times killed under downloads: both finish, and the next start has nothing to change`,
  async () => {
    const victims = ['main.js daemon', 'main.js helper', 'main.js (daemon|helper)'];
    for (let round = 0; round < KILLS; round += 1) {
      const finished = downloads(round);
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1200));
      await kill(victims[round % victims.length] ?? '');
      expect({ round, bytes: await finished }).toEqual({ round, bytes: [PHONE_BYTES, ONION_BYTES] });
      const up = await demo.gateway.json<UpReport>(signal, 'up');
      expect({ round, changes: up.changes, failed: up.failed }).toEqual({ round, changes: [], failed: [] });
      expect((await demo.gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
    }
  },
  KILLS * 60_000,
);

it(
  `${POWER_CUTS} power cuts: the same addresses, and the phone's old code works`,
  async () => {
    const { gateway, lab, phone } = demo;
    for (let round = 0; round < POWER_CUTS; round += 1) {
      await lab.node('home').cut();
      await lab.boot('home', signal);
      await gateway.command(signal, 'up');
      await gateway.runShop('shop', 80);
      await phone.leave(signal);
      await phone.join(signal);
      const status = await gateway.until('both ways proved after the power cut', isProved, signal, 90_000);
      expect(addressesOf(status)).toEqual(addressesOf(demo.status));
      expect(await phone.open(`${addressOf('wireguard')}/`, signal)).toContain('The corner shop');
    }
  },
  POWER_CUTS * 120_000,
);
