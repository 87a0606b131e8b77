/**
 * `npm run lab:doctor`: chains of routers, what the doctor says of each, and what is true. Ends with 1 when it said an exact
 * number that is wrong, or a range without the truth.
 *
 *   --quick            without the window in which state expires
 *   --deep             with the long window
 *   --random N         N chains made by chance instead of the rows
 *   --seed N           of those; default: another each time
 *   --only TEXT        rows with this in their name
 *   --rivals FOLDER    asks miniupnpc, natpmpc, traceroute and turnutils_natdiscovery too; those that bin/setup does not
 *                      bring lie in the folder
 */
import { parseArgs } from 'node:util';
import { drawn, examineTogether, isWrong, verdictOf, type Examined } from './examine.ts';
import { randomRows } from './random.ts';
import { ROWS } from './rows.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    deep: { type: 'boolean', default: false },
    random: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    rivals: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
/** What one machine carries at once without disturbing the measurement. */
const TOGETHER = 8;

const mode = values.quick ? 'quick' : values.deep ? 'deep' : 'full';
const all = values.random === undefined ? ROWS : randomRows(Number(values.random), Number(values.seed));
const rows = all.filter(({ name }) => name.includes(values.only));
if (values.random !== undefined) process.stdout.write(`seed ${values.seed}\n`);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const examined: Examined[] = [];
for (let from = 0; from < rows.length; from += TOGETHER) {
  const some = await examineTogether(rows.slice(from, from + TOGETHER), {
    mode,
    rivals: values.rivals,
    signal: stop.signal,
  });
  for (const one of some) process.stdout.write(`${lineOf(one)}\n`);
  examined.push(...some);
}
const exact = examined.filter(({ report }) => report.count.exact).length;
const probably = examined.filter(({ report, truth }) => report.count.likely === truth).length;
const wrong = examined.filter(isWrong);
const slowest = Math.max(0, ...examined.map(({ seconds }) => seconds));
process.stdout.write(
  `${examined.length} chains: ${exact} exact, ${examined.length - exact} as a range, ${wrong.length} wrong; ` +
    `what is called probable is true for ${probably}; slowest ${slowest.toFixed(1)} s\n`,
);
process.exitCode = wrong.length > 0 ? 1 : 0;

function lineOf(one: Examined): string {
  const flag = isWrong(one) ? 'WRONG ' : '';
  const cells = [
    one.name.padEnd(42),
    drawn(one.chain).padEnd(40),
    String(one.truth),
    `${one.seconds.toFixed(1)} s`,
  ];
  const { rivals } = one;
  const others =
    rivals === undefined
      ? ''
      : `  | upnpc ${rivals.upnpc} | natpmpc ${rivals.natpmpc} | traceroute ${rivals.traceroute} | ${rivals.natdiscovery}`;
  return `${flag}${cells.join('  ')}  ${verdictOf(one.report)}${others}`;
}
