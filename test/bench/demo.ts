import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDemo, type Demo } from '../../src/lab/demo.ts';
import { memoryOfNamespace } from '../../src/lab/memory.ts';
import { medianOf, secondsOf, type Figure } from './figure.ts';
import { benchOnion } from './onion.ts';
import { onSlowCore } from './slow.ts';

const MEMORY_LIMIT_MIB = 100;
const CPU_LIMIT_PERCENT = 0.1;
const CODE_LIMIT_SECONDS = 0.2;
const POWER_LIMIT_SECONDS = 90;
const RUNS = 5;
/** So that what the start left to do is done, and passes come as seldom as they do at rest. */
const SETTLE_MS = 60_000;
const IDLE_MS = 60_000;
/** An estimate: a core of a Raspberry Pi 3 (Cortex-A53, 1.2 GHz) does an eighth of what one of a server of 2020 does. */
const PI_SHARE = 0.125;

/** The demo's home: up and proved, a phone's code, an onion, what it costs at rest, and back after a power cut. */
export async function* benchDemo(signal: AbortSignal): AsyncGenerator<Figure> {
  let demo: Demo | undefined;
  const seconds = await secondsOf(async () => {
    demo = await startDemo({ progress: () => undefined, signal });
  });
  if (demo === undefined) throw new Error('the demo did not start');
  try {
    yield { what: 'demo: up and both ways proved', value: seconds, unit: 's', goal: 'reported' };
    yield await codeOf(demo, signal);
    yield* await atRest(demo, signal);
    yield* await benchOnion(demo, signal);
    yield* await powerOn(demo, signal);
  } finally {
    await demo.lab.stop();
  }
}

/** The command, from its start to its end, with the picture of the code on disk. */
async function codeOf({ gateway, lab }: Demo, signal: AbortSignal): Promise<Figure> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const png = join(lab.directory, `code${run}.png`);
    const words = ['device', 'add', `phone${run}`, '--service', 'shop', '--no-wait', '--png', png];
    times.push(await secondsOf(() => gateway.command(signal, ...words)));
  }
  return against('from device add to QR code (median)', medianOf(times), 's', CODE_LIMIT_SECONDS);
}

async function atRest(demo: Demo, signal: AbortSignal): Promise<Figure[]> {
  await sleep(SETTLE_MS, undefined, { signal });
  const before = await bothOf(demo, secondsUsed, signal);
  await sleep(IDLE_MS, undefined, { signal });
  const used = (await bothOf(demo, secondsUsed, signal)) - before;
  const memory = await bothOf(demo, memoryOf, signal);
  const whole = memoryOfNamespace(demo.lab.node('home').pid);
  return [
    { what: 'demo: memory of the whole box', value: whole, unit: 'MiB', goal: 'reported' },
    against('daemon and helper: memory at rest', memory, 'MiB', MEMORY_LIMIT_MIB),
    against(
      'daemon and helper: an idle minute, their programs too',
      (used / IDLE_MS) * 100_000,
      '% of a core',
      CPU_LIMIT_PERCENT,
    ),
  ];
}

/** The home alone is slow: the internet around it, and who visits, are not. */
async function powerOn({ gateway, lab, phone }: Demo, signal: AbortSignal): Promise<Figure[]> {
  await lab.node('home').cut();
  const seconds = await onSlowCore(PI_SHARE, () =>
    secondsOf(async () => {
      await lab.boot('home', signal);
      await gateway.node.run(gateway.argv('up'), { signal, timeoutMs: 300_000 });
      await gateway.runShop('shop', 80);
      await phone.leave(signal);
      await phone.join(signal);
      // Visiting is what makes the phone say where it is; the shop may still be starting.
      const opened = gateway.until(
        'proof of all ways',
        ({ services }) => isProved(services),
        signal,
        300_000,
      );
      await Promise.all([opened, phone.node.run([...VISIT], { signal, timeoutMs: 200_000 })]);
    }),
  );
  if (seconds === undefined) return [];
  return [
    against('from power-on to all ways proved, an eighth of a core', seconds, 's', POWER_LIMIT_SECONDS),
  ];
}

const VISIT = [
  ...(['curl', '-sS', '--fail', '--retry', '180', '--retry-delay', '1', '--retry-all-errors'] as const),
  ...(['--connect-timeout', '5', '-o', '/dev/null', 'http://10.64.1.2'] as const),
] as const;

function isProved(services: Demo['status']['services']): boolean {
  return services
    .filter(({ name }) => name === 'shop')
    .every(({ ways }) => ways.length === 2 && ways.every(({ reachable }) => reachable === 'yes'));
}

function against(what: string, value: number, unit: string, limit: number): Figure {
  return { what, value, unit, against: `a limit of ${limit} ${unit}`, ratio: value / limit, goal: 'below 1' };
}

async function bothOf(
  demo: Demo,
  measure: (demo: Demo, part: string, signal: AbortSignal) => Promise<number>,
  signal: AbortSignal,
): Promise<number> {
  const values = await Promise.all(['daemon', 'helper'].map((part) => measure(demo, part, signal)));
  return values.reduce((sum, value) => sum + value, 0);
}

/** Proportional set size in MiB. */
async function memoryOf(demo: Demo, part: string, signal: AbortSignal): Promise<number> {
  const text = await procFile(demo, part, 'smaps_rollup', signal);
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}

/** proc_pid_stat(5), fields 14 to 17 in ticks of 10 ms: its own time, and that of programs that it ran and that ended. */
async function secondsUsed(demo: Demo, part: string, signal: AbortSignal): Promise<number> {
  const text = await procFile(demo, part, 'stat', signal);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

async function procFile({ lab }: Demo, part: string, name: string, signal: AbortSignal): Promise<string> {
  const home = lab.node('home');
  const { stdout: pids } = await home.run(['pgrep', '-f', `main.js ${part}`], { signal });
  const pid = pids.trim().split('\n')[0] ?? '';
  return (await home.run(['cat', `/proc/${pid}/${name}`], { signal })).stdout;
}
