import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { NODE_INSIDE, parseTopology, startLab, type Lab } from '../../src/lab/index.ts';

export interface TorLabOptions {
  readonly name: string;
  readonly config: string;
  /** Services that run the demo's shop, and their ports. */
  readonly shops: Readonly<Record<string, number>>;
  readonly signal: AbortSignal;
  /** A box in the home's LAN, 192.168.60.2, with a web page on port 80. */
  readonly hasLan?: boolean;
  /** Own lines of the home's tor. */
  readonly torrc?: string;
}

export interface Download {
  /** How many arrived, once it is over. */
  readonly bytes: Promise<number>;
  readonly isOver: () => boolean;
}

/** A home, a visitor elsewhere with a Tor client of their own, and a private Tor network of five relays. */
export class TorLab {
  readonly lab: Lab;
  readonly gateway: LabGateway;
  readonly visitor: TorVisitor;
  readonly #signal: AbortSignal;
  #visits = 0;

  private constructor(lab: Lab, gateway: LabGateway, visitor: TorVisitor, signal: AbortSignal) {
    this.lab = lab;
    this.gateway = gateway;
    this.visitor = visitor;
    this.#signal = signal;
  }

  /** The gateway is up, the services run, and the visitor's client knows the network. */
  static async start({
    name,
    config,
    shops,
    signal,
    hasLan = false,
    torrc = '',
  }: TorLabOptions): Promise<TorLab> {
    const lab = await startLab(topologyOf(name, hasLan), { signal });
    try {
      const visitor = await TorVisitor.start(lab, 'visitor');
      const gateway = await LabGateway.prepare(lab, 'home', config);
      await writeFile(join(gateway.root, 'etc/torrc.d/own.conf'), torrc);
      // The gateway's own user edits its config.
      await gateway.node.run(['chown', '-R', 'gateway:gateway', join(gateway.root, 'etc')], { signal });
      await gateway.command(signal, 'up');
      for (const [service, port] of Object.entries(shops)) await gateway.runShop(service, port);
      await visitor.bootstrapped(signal);
      return new TorLab(lab, gateway, visitor, signal);
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  way(status: Status, service: string) {
    return status.services
      .find(({ name }) => name === service)
      ?.ways.find(({ provider }) => provider === 'tor');
  }

  /** Proved by a visit after that moment; what was proved before stays shown until the next visit. */
  isUp(service: string, sinceMs = 0): (status: Status) => boolean {
    return (status) => {
      const way = this.way(status, service);
      return way?.reachable === 'yes' && Date.parse(way.provedAt ?? '') > sinceMs;
    };
  }

  async addressOf(service: string): Promise<string> {
    return this.way(await this.gateway.status(this.#signal), service)?.address ?? '';
  }

  async pidOf(instance = 'tor'): Promise<string> {
    return (await readFile(join(this.gateway.root, 'run', instance, 'pid'), 'utf8')).trim();
  }

  async home(...argv: readonly [string, ...string[]]): Promise<string> {
    return (await this.gateway.node.run(argv, { signal: this.#signal })).stdout.trim();
  }

  /** On a fresh circuit. */
  async visit(url: string): Promise<string> {
    this.#visits += 1;
    const argv = this.visitor.curl(url, `visit${this.#visits}`, '--max-time', '15');
    return (await this.visitor.node.run(argv, { signal: this.#signal })).stdout;
  }

  /** A client that still holds the descriptor of before a change may wait in vain; a visitor reloads. */
  open(url: string): Promise<string> {
    return this.visit(url)
      .catch(() => this.visit(url))
      .catch(() => this.visit(url));
  }

  /** A shop outside of any namespace of ours. */
  async runShop(node: 'home' | 'nas', port: number): Promise<void> {
    const inside = this.lab.node(node);
    const argv = [NODE_INSIDE, '/opt/gateway/dist/src/lab/shop.js', String(port)] as const;
    await inside.detach([...argv], { logFile: join(inside.directory, `shop-${port}.log`) });
  }

  /** Slow enough to be under way for some seconds; it has begun when this resolves. */
  async download(url: string, who: string, size: number): Promise<Download> {
    const file = join(this.visitor.node.directory, who);
    const slow = ['--limit-rate', '5M', '--speed-time', '3', '-o', file];
    const argv = this.visitor.curl(`${url}/download?bytes=${size}`, who, ...slow);
    // 18, 28, 56, 97: it was cut.
    const options = { signal: this.#signal, timeoutMs: 70_000, accept: [0, 18, 28, 56, 97] };
    const state = { isOver: false };
    const bytes = this.visitor.node
      .run(argv, options)
      .then(async () => (await stat(file)).size)
      .finally(() => (state.isOver = true));
    const hasBegun = async (): Promise<boolean> =>
      state.isOver || (await readdir(this.visitor.node.directory)).includes(who);
    while (!(await hasBegun())) await sleep(100, undefined, { signal: this.#signal });
    return { bytes, isOver: () => state.isOver };
  }

  /** To every relay of the network at once. */
  async signalRelays(signal: 'STOP' | 'CONT'): Promise<void> {
    const tornet = this.lab.node('tornet');
    const pids = await tornet.run(['pgrep', '-x', 'tor'], { signal: this.#signal });
    await tornet.run(['kill', `-${signal}`, ...pids.stdout.trim().split('\n')], { signal: this.#signal });
  }
}

function topologyOf(name: string, hasLan: boolean) {
  const page = { type: 'page', port: 80, title: 'a box in the LAN' } as const;
  return parseTopology(
    {
      description: 'a home, a visitor, a private Tor network',
      nodes: {
        core: { kind: 'router' },
        tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
        home: { defaultRoute: '11.2.0.1' },
        visitor: { defaultRoute: '11.5.0.1' },
        ...(hasLan ? { nas: { services: [page] } } : {}),
      },
      networks: {
        relays: {
          core: '11.9.0.1/24',
          tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
        },
        uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
        ...(hasLan ? { lan: { home: '192.168.60.1/24', nas: '192.168.60.2/24' } } : {}),
        access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
      },
    },
    name,
  );
}
