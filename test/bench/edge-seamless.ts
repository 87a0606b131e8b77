import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { selfSigned, SHOP, startWebLabWith, WIKI, type WebLab } from '../support/web-lab.ts';
import type { Figure } from './figure.ts';

const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const VISITORS = resolve(import.meta.dirname, '../support/web-visitors-main.ts');
const [REQUESTS, WEBSOCKETS] = [10_000, 50];
const [SWAPS, EXPOSURES, RELOADS] = [100, 100, 10];

interface Told {
  readonly requests: number;
  readonly askedAgain: number;
  readonly echoes: number;
  readonly failures: number;
  readonly first: readonly string[];
}

/** Certificates, exposures and the whole configuration change under visitors who must not notice. */
export async function* benchEdgeSeamless(signal: AbortSignal): AsyncGenerator<Figure> {
  const lab = await startWebLabWith(SHOP, WIKI);
  try {
    for (let last = 10; last < 110; last += 1) {
      await lab.machine.sh('ip', '-n', 'visitor', 'addr', 'add', `11.0.0.${last}/24`, 'dev', 'eth0');
    }
    await lab.up([SHOP]);
    const certificates = await Promise.all([selfSigned([SHOP.domain]), selfSigned([SHOP.domain])]);
    await lab.give(SHOP.domain, certificates[0].pem);
    yield* await under(lab, 'certificate swaps', SWAPS, signal, async (index) => {
      await lab.give(SHOP.domain, certificates[index % 2]?.pem ?? '');
    });
    yield* await under(lab, 'exposure changes', EXPOSURES, signal, async (index) => {
      await lab.up(index % 2 === 0 ? [SHOP, WIKI] : [SHOP]);
    });
    yield* await under(lab, 'reloads', RELOADS, signal, async () => {
      await lab.machine.sh('sh', '-c', 'kill -USR2 $(cat /run/gw-root/run/edge/pid)');
      await sleep(500, undefined, { signal });
    });
  } catch (error) {
    process.stderr.write(await lab.machine.sh('tail', '-30', '/run/gw-root/lib/edge/haproxy.log'));
    throw error;
  } finally {
    await lab.stop();
  }
}

async function under(
  lab: WebLab,
  what: string,
  times: number,
  signal: AbortSignal,
  change: (index: number) => Promise<void>,
): Promise<Figure[]> {
  const words = [lab.address, String(lab.ports.https), SHOP.domain, String(REQUESTS), String(WEBSOCKETS)];
  const visitors = lab.machine.start('nsenter', '--net=/run/netns/visitor', NODE, VISITORS, ...words);
  const said = once(visitors.stdout ?? visitors, 'data') as Promise<[Buffer]>;
  await sleep(1000, undefined, { signal });
  for (let index = 0; index < times; index += 1) await change(index);
  // The program that entered the namespace became the visitors' own.
  await lab.machine.sh('pkill', '-TERM', '-f', VISITORS);
  const [line] = await said;
  const told = JSON.parse(line.toString()) as Told;
  for (const failure of told.first) process.stderr.write(`  ${failure}\n`);
  const counted = `${told.requests} requests, ${WEBSOCKETS} WebSockets, ${told.echoes} echoes`;
  return [
    {
      what: `${times} ${what} under ${counted}: failures`,
      value: told.failures,
      unit: '',
      goal: 'none',
    },
    { what: `  asked again by HTTP/2`, value: told.askedAgain, unit: '', goal: 'reported' },
  ];
}
