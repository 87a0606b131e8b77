import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import type { RelayUp } from '../../src/relay/main.ts';
import { Owner, wayOf } from './owner.ts';

const PROGRAM = '/opt/gateway/bin/gateway';
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];

const topology = parseTopology(
  {
    nodes: {
      home: { defaultRoute: '192.168.50.1' },
      router: {
        kind: 'router',
        defaultRoute: '11.2.0.1',
        nat: { outside: 'uplink' },
        forwards: [{ protocol: 'udp', port: 51820, to: '192.168.50.10:51820' }],
      },
      core: { kind: 'router' },
      vps: { defaultRoute: '11.1.0.1' },
    },
    networks: {
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
      uplink: { core: '11.2.0.1/24', router: '11.2.0.2/24' },
      hosting: { core: '11.1.0.1/24', vps: ['11.1.0.2/24', '11.1.0.3/24'] },
    },
  },
  'relay',
);

/** A home behind a router that forwards WireGuard's port, and a relay on a rented machine outside with two addresses. */
export class RelayLab {
  readonly lab: Lab;
  readonly owner: Owner;
  readonly #signal: AbortSignal;
  #visits = 0;

  private constructor(lab: Lab, owner: Owner, signal: AbortSignal) {
    this.lab = lab;
    this.owner = owner;
    this.#signal = signal;
  }

  /** Both run; they do not know each other yet. */
  static async start(more: string, signal: AbortSignal): Promise<RelayLab> {
    const lab = await startLab(topology, { signal });
    const config = `wireguard: { endpoint: "11.2.0.2:51820" }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {} } }
${more}`;
    const owner = new Owner(await LabGateway.prepare(lab, 'home', config), signal);
    const started = new RelayLab(lab, owner, signal);
    await started.startRelay();
    expect((await owner.type('up')).exitCode).toBe(0);
    return started;
  }

  get state(): string {
    return join(this.lab.node('vps').directory, 'relay');
  }

  async startRelay(): Promise<void> {
    const vps = this.lab.node('vps');
    await vps.run(['install', '-d', '-o', '65534', '-g', '65534', this.state], { signal: this.#signal });
    const listen = ['--listen', '11.1.0.2:7443', '--listen', '11.1.0.3:7443', '--state', this.state];
    const argv = [PROGRAM, '--json', 'relay', 'up', '--probe-only', ...listen];
    const [first = '', ...rest] = this.lab.usersMapped ? [...NOBODY, ...argv] : argv;
    await vps.detach([first, ...rest], { logFile: this.#log });
  }

  /** Everything that the relay said, once it said this. */
  async said(pattern: RegExp): Promise<string> {
    const read = (): Promise<string> => readFile(this.#log, 'utf8');
    await expect.poll(read, { timeout: 15_000 }).toMatch(pattern);
    return read();
  }

  async invite(): Promise<RelayUp> {
    const lines = (await this.said(/"invite":"gateway-relay:/)).split('\n');
    return JSON.parse(lines.find((line) => line.startsWith('{"listening"')) ?? '') as RelayUp;
  }

  /** Any change of the world has every way visited again at once. */
  async visitNow(): Promise<void> {
    this.#visits += 1;
    await this.owner.type('device', 'add', `phone-${this.#visits}`, '--service', 'shop', '--no-wait');
  }

  async way() {
    return wayOf(await this.owner.gateway.status(this.#signal), 'shop', 'wireguard');
  }

  async reaches(reachable: string, vantage: string): Promise<void> {
    const way = () => this.way();
    await expect.poll(way, { timeout: 20_000, interval: 200 }).toMatchObject({ reachable, vantage });
  }

  async detail(): Promise<string> {
    return (await this.way())?.conditions.find(({ type }) => type === 'Reachable')?.message ?? '';
  }

  async on(node: string, ...argv: [string, ...string[]]): Promise<void> {
    await this.lab.node(node).run(argv, { signal: this.#signal });
  }

  get #log(): string {
    return join(this.lab.node('vps').directory, 'relay.log');
  }
}
