import { startLab } from '../../src/lab/index.ts';
import { medianOf, secondsOf, type Figure } from './figure.ts';

const RUNS = 5;
const LIMIT_SECONDS = 3;

/** The demo's internet, Tor network included, once its keys are in the cache. */
export async function benchLab(signal: AbortSignal): Promise<Figure[]> {
  const up = (): Promise<number> =>
    secondsOf(async () => {
      const lab = await startLab('demo', { signal });
      await lab.stop();
    });
  await up();
  const runs: number[] = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await up());
  const value = medianOf(runs);
  const against = `a limit of ${LIMIT_SECONDS} s`;
  return [
    {
      what: 'lab up and down, warm (median)',
      value,
      unit: 's',
      against,
      ratio: value / LIMIT_SECONDS,
      goal: 'below 1',
    },
  ];
}
