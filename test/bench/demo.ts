import { startDemo } from '../../src/lab/demo.ts';
import { memoryOfNamespace } from '../../src/lab/memory.ts';
import type { LabNode } from '../../src/lab/index.ts';
import { secondsOf, type Figure } from './figure.ts';

const MEMORY_LIMIT_MIB = 100;

/** From nothing to both ways proved; and what daemon and helper hold once it is quiet. */
export async function benchDemo(signal: AbortSignal): Promise<Figure[]> {
  let demo: Awaited<ReturnType<typeof startDemo>> | undefined;
  const seconds = await secondsOf(async () => {
    demo = await startDemo({ progress: () => undefined, signal });
  });
  if (demo === undefined) throw new Error('the demo did not start');
  const whole = memoryOfNamespace(demo.lab.node('home').pid);
  const ours = (
    await Promise.all(['daemon', 'helper'].map((part) => memoryOf(demo!.lab.node('home'), part, signal)))
  ).reduce((sum, value) => sum + value, 0);
  await demo.lab.stop();
  return [
    { what: 'demo: up and both ways proved', value: seconds, unit: 's', goal: 'reported' },
    { what: 'demo: memory of the whole box', value: whole, unit: 'MiB', goal: 'reported' },
    {
      what: 'daemon and helper: memory',
      value: ours,
      unit: 'MiB',
      against: `a limit of ${MEMORY_LIMIT_MIB} MiB`,
      ratio: ours / MEMORY_LIMIT_MIB,
      goal: 'below 1',
    },
  ];
}

/** Proportional set size in MiB. */
async function memoryOf(node: LabNode, part: string, signal: AbortSignal): Promise<number> {
  const { stdout: pids } = await node.run(['pgrep', '-f', `main.js ${part}`], { signal });
  const pid = pids.trim().split('\n')[0] ?? '';
  const { stdout } = await node.run(['cat', `/proc/${pid}/smaps_rollup`], { signal });
  return Number(/^Pss:\s+(\d+) kB$/m.exec(stdout)?.[1] ?? Number.NaN) / 1024;
}
