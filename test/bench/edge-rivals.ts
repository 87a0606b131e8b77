import { writeFile } from 'node:fs/promises';
import { selfSigned, SHOP, startWebLab, type WebLab } from '../support/web-lab.ts';
import { firstPages } from './edge-first-page.ts';
import { medianOf, type Figure } from './figure.ts';
import { fetchRivals, processorOf, program, startOrigin, startRivals, type Rival } from './rivals.ts';

const ROUNDS = 3;
const SECONDS = 4;
/** One source may ask for 500 a second (docs/edge.md): visitors come from so many. */
const SOURCES = 250;

interface Load {
  readonly what: string;
  readonly unit: string;
  readonly argv: readonly [string, ...string[]];
  readonly path: string;
  /** Of what it says: how much was done in a second, and how much in all. */
  readonly rate: (said: string) => number;
  readonly total: (said: string) => number;
}

const WRK = ['-t', '2', '-d', `${SECONDS}s`, '--timeout', '30s'] as const;
const CONNECTIONS = '1000';

const requestsIn = (said: string): number => Number(/^Requests\/sec: +([\d.]+)/m.exec(said)?.[1]);
const LOADS: readonly Load[] = [
  {
    what: 'small requests',
    unit: '1/s',
    argv: [program('wrk'), ...WRK, '-c', '200'],
    path: '/',
    rate: requestsIn,
    total: (said) => requestsIn(said) * SECONDS,
  },
  {
    what: 'new connections, a request on each',
    unit: '1/s',
    // wrk resumes the TLS session of the connection before.
    argv: [program('h2load'), '--h1', '-t', '2', '-c', CONNECTIONS, '-n', CONNECTIONS],
    path: '/',
    rate: (said) => Number(/^finished in .*, ([\d.]+) req\/s/m.exec(said)?.[1]),
    total: (said) => Number(/(\d+) succeeded, 0 failed/.exec(said)?.[1]),
  },
  {
    what: 'bulk',
    unit: 'MB/s',
    argv: [program('wrk'), ...WRK, '-c', '8'],
    path: '/bulk',
    rate: megabytesIn,
    total: (said) => megabytesIn(said) * SECONDS,
  },
];

function megabytesIn(said: string): number {
  const [, value, unit = ''] = /^Transfer\/sec: +([\d.]+)(KB|MB|GB)/m.exec(said) ?? [];
  // wrk means powers of 1024.
  return (Number(value) * { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }[unit as 'KB' | 'MB' | 'GB']) / 1e6;
}

/**
 * The edge, and others that a person wrote by hand, in front of one service, in turn. All share the machine with the
 * visitors and the service, so a second of their own processor says more than a second on the clock.
 */
export async function* benchEdgeRivals(signal: AbortSignal): AsyncGenerator<Figure> {
  await fetchRivals(signal);
  const lab = await startWebLab();
  try {
    await lab.addService('shop', SHOP.to.host, SHOP.to.port);
    await startOrigin(lab, SHOP.to.port);
    await lab.up([SHOP]);
    const { pem } = await selfSigned([SHOP.domain]);
    await lab.give(SHOP.domain, pem);
    await spreadVisitors(lab);
    await letRivalsIn(lab);
    const edge: Rival = { name: 'the edge', port: lab.ports.https, marker: 'gw-root/lib/edge/haproxy.cfg' };
    const all = [edge, ...(await startRivals(lab, pem, SHOP.domain, SHOP.to))];
    for (const load of LOADS) yield* await compare(load, all, lab, signal);
  } finally {
    await lab.stop();
  }
  yield* await firstPages(signal);
}

/** Each connection of the visitor comes from another address. */
async function spreadVisitors({ machine, address, visitor }: WebLab): Promise<void> {
  await writeFile(machine.outside('/run/etc/hosts'), `${address} ${SHOP.domain}\n`);
  await writeFile(machine.outside('/run/etc/nsswitch.conf'), 'hosts: files\n');
  await machine.sh('ip', 'route', 'add', '11.1.0.0/16', 'via', visitor);
  const sources = Array.from({ length: SOURCES }, (_, index) => `${index} : 11.1.${index}.1`).join(', ');
  const rules = `table ip spread {
    chain out {
      type nat hook postrouting priority srcnat;
      ip daddr ${address} snat to numgen inc mod ${SOURCES} map { ${sources} }
    }
  }`;
  await writeFile(machine.outside('/run/spread.nft'), rules);
  await machine.sh('ip', 'netns', 'exec', 'visitor', 'nft', '-f', '/run/spread.nft');
}

/** The hub lets the edge alone to the service, by its source. */
async function letRivalsIn({ machine, gateway }: WebLab): Promise<void> {
  const { pool, hub, edge } = gateway.network;
  const [link = ''] = (await machine.sh('ip', '-o', 'route', 'show', pool)).match(/(?<= dev )\S+/) ?? [];
  const way = ['via', hub, 'dev', link, 'src', edge, 'onlink'] as const;
  await machine.sh('ip', 'route', 'change', pool, ...way);
}

interface Measured {
  readonly onClock: number;
  readonly onProcessor: number;
}

async function compare(
  load: Load,
  rivals: readonly Rival[],
  lab: WebLab,
  signal: AbortSignal,
): Promise<Figure[]> {
  const runs = new Map<Rival, Measured[]>(rivals.map((rival) => [rival, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const rival of rivals) runs.get(rival)?.push(await measure(load, rival, lab, signal));
  }
  return [
    ...figuresOf(load.what, load.unit, rivals, (rival) =>
      medianOf((runs.get(rival) ?? []).map(({ onClock }) => onClock)),
    ),
    ...figuresOf(`${load.what}, in a second of its processor`, load.unit, rivals, (rival) =>
      medianOf((runs.get(rival) ?? []).map(({ onProcessor }) => onProcessor)),
    ),
  ];
}

async function measure(
  { argv, path, rate, total }: Load,
  rival: Rival,
  { machine }: WebLab,
  signal: AbortSignal,
): Promise<Measured> {
  signal.throwIfAborted();
  const url = `https://${SHOP.domain}:${rival.port}${path}`;
  const before = await processorOf(machine, rival);
  const said = await machine.sh('nsenter', '--net=/run/netns/visitor', ...argv, url);
  const seconds = (await processorOf(machine, rival)) - before;
  const isWhole = Number.isFinite(rate(said)) && Number.isFinite(total(said));
  if (!isWhole || /Non-2xx|(connect|timeout) [1-9]/.test(said)) {
    throw new Error(`${rival.name} failed visitors: ${said}`);
  }
  return { onClock: rate(said), onProcessor: total(said) / seconds };
}

function figuresOf(
  what: string,
  unit: string,
  [edge, ...rivals]: readonly Rival[],
  valueOf: (rival: Rival) => number,
): Figure[] {
  if (edge === undefined) return [];
  const value = valueOf(edge);
  const others = rivals.map((rival) => ({ rival, value: valueOf(rival) }));
  const best = others.reduce((a, b) => (b.value > a.value ? b : a));
  const caddy = others.find(({ rival }) => rival.name === 'Caddy') ?? best;
  const isSmall = what.startsWith('small');
  return [
    ...others.map((other) => ({
      what: `${what}: ${other.rival.name}`,
      value: other.value,
      unit,
      goal: 'a rival',
    })),
    {
      what: `${what}: the edge`,
      value,
      unit,
      against: `the best of them, ${best.rival.name}`,
      ratio: value / best.value,
      goal: '0.95 at least',
    },
    {
      what: `${what}: the edge`,
      value,
      unit,
      against: 'Caddy',
      ratio: value / caddy.value,
      goal: isSmall ? '1.8 at least' : 'reported',
    },
  ];
}
