import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError } from '../../src/core/errors.ts';
import type { Demo } from '../../src/lab/demo.ts';
import { medianOf, secondsOf, type Figure } from './figure.ts';

const VISITS = 15;
/** Onions of each kind, made by turns: publishing takes as long as chance has it. */
const ONIONS = 3;

/** An onion of the gateway against one of tor alone: same home, same shop, same visitor, same Tor network. */
export async function benchOnion(demo: Demo, signal: AbortSignal): Promise<Figure[]> {
  const rival = await Rival.start(demo, signal);
  const made = { ours: [] as number[], theirs: [] as number[] };
  const urls = { ours: '', theirs: '' };
  for (let index = 0; index < ONIONS; index += 1) {
    const name = await prepare(demo, index, signal);
    made.ours.push(await secondsOf(async () => (urls.ours = await expose(demo, name, signal))));
    made.theirs.push(await secondsOf(async () => (urls.theirs = await rival.publish(index, signal))));
  }
  const latency = { ours: [] as number[], theirs: [] as number[] };
  for (let visit = 0; visit < VISITS; visit += 1) {
    latency.ours.push(await firstByte(demo, urls.ours, signal));
    latency.theirs.push(await firstByte(demo, urls.theirs, signal));
  }
  return [
    ...compared('from expose to the first byte over the onion', made),
    ...compared('first byte of an onion, p50, on an open circuit', latency),
  ];
}

function compared(
  what: string,
  { ours, theirs }: { readonly ours: readonly number[]; readonly theirs: readonly number[] },
): Figure[] {
  const [value, rival] = [medianOf(ours), medianOf(theirs)];
  return [
    { what: `tor alone: ${what}`, value: rival, unit: 's', goal: 'the rival' },
    { what, value, unit: 's', against: 'tor alone', ratio: value / rival, goal: 'at most 1.1' },
  ];
}

/** A service that answers, and is not exposed yet. */
async function prepare({ gateway }: Demo, index: number, signal: AbortSignal): Promise<string> {
  const name = `onion${index}`;
  await gateway.command(signal, 'service', 'add', name, '--port', '80', '--kind', 'http', '--no-tor');
  await gateway.runShop(name, 80);
  return name;
}

async function expose(demo: Demo, name: string, signal: AbortSignal): Promise<string> {
  const { gateway } = demo;
  await gateway.command(signal, 'expose', name, '--via', 'tor');
  const find = (status: Demo['status']): string | null | undefined =>
    status.services.find((service) => service.name === name)?.ways[0]?.address;
  const status = await gateway.until('an onion', (now) => typeof find(now) === 'string', signal);
  return untilOpened(demo, find(status) ?? '', signal);
}

/** A tor that serves onions and nothing else, on the same machine, and leads to the same shop. */
class Rival {
  readonly #demo: Demo;
  readonly #directory: string;

  private constructor(demo: Demo) {
    this.#demo = demo;
    this.#directory = join(demo.gateway.node.directory, 'rival');
  }

  static async start(demo: Demo, signal: AbortSignal): Promise<Rival> {
    const rival = new Rival(demo);
    const directory = rival.#directory;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, 'defaults'), '');
    await writeFile(
      join(directory, 'torrc'),
      `DataDirectory ${directory}/data\nSocksPort 0\nPidFile ${directory}/pid\nLog notice file ${directory}/log\n${demo.lab.torrc}`,
    );
    const files = ['-f', join(directory, 'torrc'), '--defaults-torrc', join(directory, 'defaults')];
    await demo.gateway.node.detach(['tor', ...files, '--quiet'], { logFile: join(directory, 'out.log') });
    await untilRead(join(directory, 'log'), 'Bootstrapped 100%', signal);
    return rival;
  }

  /** As its manual says: two lines, and a signal. */
  async publish(index: number, signal: AbortSignal): Promise<string> {
    const onion = join(this.#directory, `onion${index}`);
    const lines = `HiddenServiceDir ${onion}\nHiddenServicePort 80 10.64.1.2:80\n`;
    await appendFile(join(this.#directory, 'torrc'), lines);
    const hup = ['pkill', '-HUP', '-F', join(this.#directory, 'pid')] as const;
    await this.#demo.gateway.node.run([...hup], { signal });
    const hostname = await untilRead(join(onion, 'hostname'), '.onion', signal);
    return untilOpened(this.#demo, `http://${hostname.trim()}`, signal);
  }
}

async function untilRead(path: string, text: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const found = await readFile(path, 'utf8').catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return '';
      throw error;
    });
    if (found.includes(text)) return found;
    await sleep(50, undefined, { signal });
  }
}

/** As somebody who was told the address at once: asks again, on a new circuit, until it answers. */
async function untilOpened(demo: Demo, url: string, signal: AbortSignal): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await demo.visitor.open(url, signal, `${url}${attempt}`, 20);
      return url;
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      await sleep(100, undefined, { signal });
    }
  }
}

async function firstByte({ visitor }: Demo, url: string, signal: AbortSignal): Promise<number> {
  const argv = visitor.curl(url, 'bench', '-o', '/dev/null', '-w', '%{time_starttransfer}');
  return Number((await visitor.node.run(argv, { signal, timeoutMs: 70_000 })).stdout);
}
