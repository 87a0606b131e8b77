import type { Way } from '../core/status.ts';
import type { Client } from './client.ts';
import { type Context, EXIT } from './command.ts';
import { btcpayText } from './btcpay-text.ts';
import { waitFor } from './wait.ts';
import { plain } from './terminal.ts';

const PAGE_WAIT_MS = 180_000;
/** Once name and certificate are there, a visit from outside follows soon, where anybody outside can look. */
const VISIT_WAIT_MS = 20_000;

/** Says what a page at a public name still waits for, until it was visited from outside or nobody can do that. */
export async function tellPage(
  service: string,
  provider: string,
  client: Client,
  context: Context,
): Promise<number> {
  const { terminal, progress } = context;
  let said = '';
  let readySince: number | undefined;
  let preset: string | undefined;
  const settled = await waitFor(client, context, PAGE_WAIT_MS, (status) => {
    const found = status.services.find(({ name }) => name === service);
    const way = found?.ways.find((one) => one.provider === provider);
    if (found !== undefined) preset = btcpayText(found);
    if (way === undefined || way.phase === 'rejected' || way.reachable === 'yes') return way ?? GONE;
    const missing = missingOf(way);
    if (missing !== said) progress(`${missing} (Ctrl-C ends the waiting only)`);
    said = missing;
    readySince = isPublished(way) ? (readySince ?? Date.now()) : undefined;
    return readySince !== undefined && Date.now() - readySince > VISIT_WAIT_MS ? way : undefined;
  });
  if (settled === undefined) {
    terminal.print(`${said === '' ? 'It is not open yet' : plain(said)}; it goes on, see gateway status.`);
    return EXIT.undecided;
  }
  if (settled === GONE || settled.phase === 'rejected') return EXIT.warnings;
  if (preset !== undefined) terminal.print(preset);
  const address = settled.address ?? service;
  const proof = messageOf(settled, 'Reachable');
  if (settled.reachable === 'yes') {
    terminal.print(`\n${address} is open: ${plain(proof)}.`);
    return EXIT.ok;
  }
  terminal.print(`\n${address} is not proved: ${plain(proof)}.`);
  return settled.reachable === 'no' ? EXIT.unreachable : EXIT.undecided;
}

const GONE = 'gone';

/** What it waits for now: what stopped first. */
function missingOf(way: Way): string {
  const open = way.conditions.find(({ status }) => status !== 'yes');
  return open === undefined ? 'waiting for a visit from outside' : open.message;
}

function isPublished({ conditions }: Way): boolean {
  return conditions.some(({ type, status }) => type === 'Published' && status === 'yes');
}

function messageOf({ conditions }: Way, type: string): string {
  return conditions.find((condition) => condition.type === type)?.message ?? '';
}
