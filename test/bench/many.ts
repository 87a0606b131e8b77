import { chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type Client } from '../../src/cli/client.ts';
import type { PlanReport, UpReport } from '../../src/core/control.ts';
import type { Device } from '../../src/core/service.ts';
import { presharedKeyName } from '../../providers/wireguard/spec.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf, type Paths } from '../../src/system/directories.ts';
import { fingerprintOf, renderKeyFile } from '../../src/system/keyfile.ts';
import { openStore } from '../../src/system/store/index.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { medianOf, secondsOf, type Figure } from './figure.ts';

/** Each device has one path through the hub. */
interface Size {
  readonly services: number;
  readonly devices: number;
}

/**
 * Each service has ten devices up to a thousand, or as many in all as stand behind a colon. `--full` adds what takes
 * minutes; `BENCH_COUNTS=100,10:10000 npm run bench -- many` asks for others.
 */
const USUAL = '1,10,100';
const FULL = `${USUAL},1000,10:10000`;
const SIZES = (process.env['BENCH_COUNTS'] ?? (process.argv.includes('--full') ? FULL : USUAL))
  .split(',')
  .map((words): Size => {
    const [services = 1, devices = Math.min(services * 10, 1000)] = words.split(':').map(Number);
    return { services, devices };
  });
/** From here on the figures are far from what chance adds, and take minutes. */
const MANY = 1000;
const RUNS_OF_MANY = 1;
const RUNS = 3;

/** Without a router: waiting for one that says nothing is not what is measured. */
const TOPOLOGY = parseTopology(
  {
    nodes: { home: {}, far: {} },
    networks: { uplink: { home: '11.2.0.2/24', far: '11.2.0.1/24' } },
  },
  'many',
);

/** What it costs to look after many: with real namespaces, links, rules and peers. */
export async function* benchMany(signal: AbortSignal): AsyncGenerator<Figure> {
  await using lab = await startLab(TOPOLOGY, { signal });
  const box = await Box.start(lab, signal);
  for (const size of SIZES) yield* figuresOf(box, size, signal);
}

async function* figuresOf(box: Box, size: Size, signal: AbortSignal): AsyncGenerator<Figure> {
  const of = `${size.services} services, ${size.devices} devices`;
  const figure = (what: string, value: number, limit?: number): Figure => {
    const against = limit === undefined ? {} : { against: `a limit of ${limit} s`, ratio: value / limit };
    return {
      what: `${of}: ${what}`,
      value,
      unit: 's',
      ...against,
      goal: limit === undefined ? 'reported' : 'below 1',
    };
  };
  const isMost = size.services >= 100 || size.devices >= 1000;
  const runs = size.services < MANY && size.devices <= MANY ? RUNS : RUNS_OF_MANY;
  await box.stop(signal);
  box.fill(size);
  yield figure('first made', await secondsOf(() => box.up(signal)));
  yield figure('a pass that finds nothing to do', await repeated(runs, () => box.pass(signal)));
  const changed = await repeated(runs, () => box.change(signal));
  yield figure('one service changed', changed, isMost ? 0.1 : undefined);
  const added = await repeated(runs, () => box.addDevice(signal));
  yield figure('one device added', added, isMost ? 0.1 : undefined);
  const adopted = await repeated(runs, async () => {
    await box.stop(signal);
    return secondsOf(() => box.up(signal));
  });
  yield figure('start that adopts', adopted, isMost ? 3 : undefined);
  await box.cut(signal);
  const powered = await secondsOf(() => box.up(signal));
  yield figure('start after a power cut', powered, isMost ? 10 : undefined);
}

async function repeated(runs: number, task: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let run = 0; run < runs; run += 1) values.push(await task());
  return medianOf(values);
}

/** A gateway with as many services and devices as asked for. */
class Box {
  readonly #lab: Lab;
  readonly #gateway: LabGateway;
  readonly #paths: Paths;
  readonly #client: Client;
  #added = 0;

  private constructor(lab: Lab, gateway: LabGateway) {
    this.#lab = lab;
    this.#gateway = gateway;
    this.#paths = pathsOf(directoriesIn(gateway.root));
    this.#client = createClient(this.#paths.apiSocket);
  }

  static async start(lab: Lab, signal: AbortSignal): Promise<Box> {
    const box = new Box(lab, await LabGateway.prepare(lab, 'home', textOf(0)));
    await box.up(signal);
    return box;
  }

  async up(signal: AbortSignal): Promise<void> {
    const { stdout, stderr } = await this.#gateway.node.run(this.#gateway.argv('--json', 'up'), {
      signal,
      timeoutMs: 300_000,
      accept: [0, 1, 2, 3],
    });
    if (stdout === '') throw new Error(stderr);
    const report = JSON.parse(stdout) as UpReport;
    if (report.failed.length > 0 || report.problems.length > 0) {
      throw new Error(`not everything was made: ${JSON.stringify([report.failed[0], report.problems[0]])}`);
    }
  }

  /** Ends daemon and helper; what they made stays. */
  async stop(signal: AbortSignal): Promise<void> {
    const ours = ['-f', 'main.js (daemon|helper)'] as const;
    await this.#gateway.node.run(['pkill', '-KILL', ...ours], { signal, accept: [0, 1] });
    for (;;) {
      const found = await this.#gateway.node.run(['pgrep', ...ours], { signal, accept: [0, 1] });
      if (found.exitCode === 1) return;
    }
  }

  async cut(signal: AbortSignal): Promise<void> {
    await this.#gateway.node.cut();
    await this.#lab.boot('home', signal);
  }

  /** Observes everything and plans; there is nothing to change. */
  async pass(signal: AbortSignal): Promise<number> {
    let changes: readonly string[] = [];
    const seconds = await secondsOf(async () => {
      ({ changes } = await this.#client.get<PlanReport>('/v1/plan', signal));
    });
    if (changes.length > 0) throw new Error(`there was something to change: ${changes[0]}`);
    return seconds;
  }

  /** Takes a way in from one service, which is timed, and gives it back. */
  async change(signal: AbortSignal): Promise<number> {
    const path = '/v1/services/s1/expose/wireguard';
    const seconds = await secondsOf(() => this.#client.send('DELETE', path, undefined, quiet, signal));
    await this.#client.send('PUT', path, {}, quiet, signal);
    return seconds;
  }

  addDevice(signal: AbortSignal): Promise<number> {
    this.#added += 1;
    const draft = { name: `extra${this.#added}`, services: ['s1'] };
    return secondsOf(() => this.#client.send('POST', '/v1/devices', draft, quiet, signal));
  }

  /** As if they had been added one by one, which takes too long for a benchmark. */
  fill({ services: count, devices: most }: Size): void {
    const { configFile, database, keys, snapshot } = this.#paths;
    writeFileSync(configFile, textOf(count));
    const store = openStore({ database, snapshot });
    const devices = store.devices().filter(({ name }) => /^d[0-9]+$/.test(name));
    const added: Device[] = [];
    const rememberKeys: Record<string, string> = {};
    const owner = statSync(database);
    for (const directory of ['.', 'wireguard', 'wireguard/peers'].map((each) => join(keys, each))) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      chownSync(directory, owner.uid, owner.gid);
    }
    for (let index = devices.length; index < most; index += 1) {
      const publicKey = encodeKey(nodeCrypto.curve25519Public(nodeCrypto.curve25519Secret()));
      const secret = nodeCrypto.random(32);
      const name = presharedKeyName(publicKey);
      const file = join(keys, `${name}.key`);
      writeFileSync(file, renderKeyFile('preshared', secret), { mode: 0o600 });
      chownSync(file, owner.uid, owner.gid);
      rememberKeys[name] = fingerprintOf('preshared', secret);
      added.push({ name: `d${index}`, services: [], publicKey, addedAt: new Date().toISOString() });
    }
    // Those of a size before were given services that there may not be any more; what is too many is given none.
    const given = [...devices, ...added].map((device, index) => ({
      ...device,
      services: index < most ? [`s${(index % count) + 1}`] : [],
    }));
    void store.commit({ putDevices: given, rememberKeys });
    store.close();
    for (const file of [database, snapshot]) chownSync(file, owner.uid, owner.gid);
    for (const suffix of ['-wal', '-shm']) rmSync(`${database}${suffix}`, { force: true });
  }
}

function textOf(count: number): string {
  const services = Array.from(
    { length: count },
    (_, index) => `  s${index + 1}: { port: 80, kind: tcp, expose: { wireguard: {} } }\n`,
  );
  return `pool: 10.64.0.0/16\nwireguard: { endpoint: "11.2.0.2:51820" }\nservices:${count === 0 ? ' {}\n' : `\n${services.join('')}`}`;
}

const quiet = (): void => undefined;
