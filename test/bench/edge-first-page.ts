import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labAuthority, NODE_INSIDE } from '../../src/lab/index.ts';
import { TOOLS_INSIDE } from '../../src/lab/places.ts';
import { PageLab } from '../support/page-lab.ts';
import { medianOf, type Figure } from './figure.ts';

const MORE = ['wiki', 'blog', 'club'] as const;
const RUNS = 3;
const CADDY = `${TOOLS_INSIDE}/rivals/bin/caddy`;
const HOME = '192.168.50.10';

/**
 * From a command to a page that a visitor elsewhere trusts, from the same Pebble. Caddy, with its start, gets ports that
 * the router opened before and a record that was set by hand: the gateway's first page sees to both itself, and the pages
 * after it to the record.
 */
export async function firstPages(signal: AbortSignal): Promise<Figure[]> {
  const more = MORE.map((name, index) => `  ${name}: { port: ${81 + index}, kind: http }\n`).join('');
  const page = await PageLab.start(signal, { more, isRelayJoined: false });
  try {
    for (const [index, name] of MORE.entries()) await page.owner.gateway.runShop(name, 81 + index);
    const caddy = await caddyPages(page, signal);
    const first = await untilOpen(page, 'shop.shop.test', () => page.expose('shop', 'shop.shop.test'));
    const others: number[] = [];
    for (const name of MORE) {
      others.push(await untilOpen(page, `${name}.shop.test`, () => page.expose(name, `${name}.shop.test`)));
    }
    const against = 'Caddy, its start included';
    const rival = medianOf(caddy);
    const what = 'from command to trusted page';
    return [
      { what: `${what}: Caddy, ports and name by hand`, value: rival, unit: 's', goal: 'the rival' },
      {
        what: `${what}: the first, with ports, name and all`,
        value: first,
        unit: 's',
        against,
        ratio: first / rival,
        goal: 'reported',
      },
      {
        what: `${what}: one more (median of ${others.length})`,
        value: medianOf(others),
        unit: 's',
        against,
        ratio: medianOf(others) / rival,
        goal: '1 at most',
      },
    ];
  } finally {
    await page.lab.stop();
  }
}

async function caddyPages(page: PageLab, signal: AbortSignal): Promise<number[]> {
  const home = page.lab.node('home');
  const on = (...argv: [string, ...string[]]) => home.run(argv, { signal, accept: [0, 1] });
  for (const port of ['80', '443']) await on('upnpc', '-a', HOME, port, port, 'tcp', '600');
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const name = `caddy${run}.shop.test`;
    await page.setRecord('11.2.0.2', name);
    const file = join(home.directory, `Caddyfile${run}`);
    await writeFile(file, caddyfile(page, name, run));
    const argv = ['run', '--adapter', 'caddyfile', '--config', file] as const;
    const env = { HOME: home.directory };
    const logFile = join(home.directory, 'caddy.log');
    const start = (): Promise<unknown> => home.detach([CADDY, ...argv], { logFile, env });
    times.push(await untilOpen(page, name, start));
    await on('pkill', '-x', 'caddy');
    await page.setRecord(undefined, name);
  }
  for (const port of ['80', '443']) await on('upnpc', '-d', port, 'tcp');
  return times;
}

function caddyfile(page: PageLab, name: string, run: number): string {
  const { directory, ca } = labAuthority(page.lab.node('authority'), page.lab.topology);
  const storage = join(page.lab.node('home').directory, `caddy${run}`);
  return `{
  admin off
  acme_ca ${directory}
  acme_ca_root ${ca}
  storage file_system ${storage}
}
${name} {
  respond "The corner shop"
}
`;
}

const PATIENCE_SECONDS = 60;

/** One look after another from a visitor, in one program: a look takes less than starting curl. */
async function untilOpen(page: PageLab, name: string, begin: () => Promise<unknown>): Promise<number> {
  const visitor = page.lab.node('visitor');
  const code = `
    const { request } = require('node:https');
    const ca = require('node:fs').readFileSync(process.argv[1]);
    const end = Date.now() + ${PATIENCE_SECONDS}000;
    const again = () => Date.now() > end ? process.exit(1) : setTimeout(look, 20);
    function look() {
      const asked = request({ host: process.argv[2], ca, agent: false, timeout: 2000 }, (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += chunk));
        answer.on('end', () => (text.includes('The corner shop') ? process.exit(0) : again()));
      });
      asked.on('timeout', () => asked.destroy(new Error('slow')));
      asked.on('error', again);
      asked.end();
    }
    look();
  `;
  const options = { signal: AbortSignal.timeout((PATIENCE_SECONDS + 10) * 1000) };
  const looking = visitor.run([NODE_INSIDE, '-e', code, page.root, name], options);
  const started = performance.now();
  const begun = begin();
  await looking;
  const seconds = (performance.now() - started) / 1000;
  // The command itself goes on until the page is proved from outside.
  await begun;
  return seconds;
}
