/**
 * `npm run bench`: speed and memory, as ratios against a rival or limit in the same run. Prints a table, and JSON with
 * `--json`. Never part of the tests: a busy machine makes figures worse, not the code wrong.
 */
import { benchDemo } from './demo.ts';
import { benchLab } from './lab.ts';
import type { Figure } from './figure.ts';
import { benchThroughput } from './throughput.ts';

const signal = AbortSignal.timeout(600_000);
const figures: Figure[] = [];
for (const bench of [benchLab, benchDemo, benchThroughput]) {
  process.stderr.write(`${bench.name} …\n`);
  figures.push(...(await bench(signal)));
}
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
else for (const figure of figures) process.stdout.write(`${lineOf(figure)}\n`);

function lineOf({ what, value, unit, against, ratio, goal }: Figure): string {
  const compared = ratio === undefined ? '' : `  ratio ${ratio.toFixed(2)} to ${against}`;
  return `${what.padEnd(46)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(7)}${compared}  (goal: ${goal})`;
}
