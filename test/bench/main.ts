/**
 * `npm run bench`: speed and memory, as ratios against a rival or limit in the same run. Prints a table, and JSON with
 * `--json`; with names (`npm run bench -- many lab`) only those, with `--full` also the sizes that take minutes. Never part of the tests: a busy machine makes figures
 * worse, not the code wrong.
 */
import { benchDemo } from './demo.ts';
import { benchEdgeNames } from './edge-names.ts';
import { benchEdgeRivals } from './edge-rivals.ts';
import { benchEdgeSeamless } from './edge-seamless.ts';
import { benchLab } from './lab.ts';
import { benchMany } from './many.ts';
import { benchMapping } from './mapping.ts';
import { benchMappingIdle } from './mapping-idle.ts';
import { benchMappingServed } from './mapping-served.ts';
import type { Figure } from './figure.ts';
import { benchRelay } from './relay.ts';
import { benchThroughput } from './throughput.ts';

const BENCHES = {
  lab: benchLab,
  demo: benchDemo,
  throughput: benchThroughput,
  relay: benchRelay,
  many: benchMany,
  mapping: benchMapping,
  'mapping-served': benchMappingServed,
  'mapping-idle': benchMappingIdle,
  'edge-seamless': benchEdgeSeamless,
  'edge-names': benchEdgeNames,
  'edge-rivals': benchEdgeRivals,
} as const satisfies Record<string, (signal: AbortSignal) => Promise<Figure[]> | AsyncGenerator<Figure>>;

const asked = process.argv.slice(2).filter((word) => !['--json', '--full'].includes(word));
const unknown = asked.find((word) => !Object.hasOwn(BENCHES, word));
if (unknown !== undefined) {
  process.stderr.write(`there is no benchmark ${unknown}; there are: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(64);
}
/** One that hangs must not keep the others from being measured. */
const TIMEOUT_MS = process.argv.includes('--full') ? 2_400_000 : 1_200_000;
const figures: Figure[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  const startedAt = performance.now();
  try {
    for await (const figure of await bench(AbortSignal.timeout(TIMEOUT_MS))) {
      figures.push(figure);
      process.stderr.write(`${lineOf(figure)}\n`);
    }
  } catch (error) {
    process.stderr.write(`${name} did not end: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
  process.stderr.write(`${name} took ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`);
}
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);

function lineOf({ what, value, unit, against, ratio, goal }: Figure): string {
  const compared = ratio === undefined ? '' : `  ratio ${ratio.toFixed(2)} to ${against}`;
  return `${what.padEnd(62)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(7)}${compared}  (goal: ${goal})`;
}
