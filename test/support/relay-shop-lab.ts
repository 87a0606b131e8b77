import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { labAuthority, type Lab, NODE_INSIDE, parseTopology, startLab } from '../../src/lab/index.ts';
import type { Way } from '../../src/core/status.ts';
import type { RelayUp } from '../../src/relay/main.ts';
import type { Argv } from '../../src/system/run.ts';
import { Owner, wayOf } from './owner.ts';

const PROGRAM = '/opt/gateway/bin/gateway';
const MAIN = '/opt/gateway/test/support/relay-shop-main.ts';
const WEB = '/opt/gateway/test/support/web-service-main.ts';
const DNS_MAIN = '/opt/gateway/test/support/dns-main.ts';
const SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==';
const CREDENTIAL = '/run/updates.key';
const NAME_SERVER = { host: 'rfc2136', server: '11.4.0.53', key: 'updates', credential: CREDENTIAL } as const;
export const DOMAIN = 'pay.shop.test';
export const RELAY = '11.1.0.2';
export const VISITOR = '11.5.0.2';

/** A home behind its router, the house's and the carrier's; a rented machine; a visitor elsewhere. No port leads home. */
const topology = parseTopology(
  {
    nodes: {
      core: { kind: 'router' },
      dns: { defaultRoute: '11.4.0.1', services: [{ type: 'dns', zone: 'shop.test', updates: SECRET }] },
      authority: { defaultRoute: '11.6.0.1', services: [{ type: 'acme' }] },
      carrier: {
        kind: 'router',
        defaultRoute: '11.2.0.1',
        nat: { outside: 'uplink', behaviour: 'symmetric' },
      },
      house: { kind: 'router', defaultRoute: '100.64.0.1', nat: { outside: 'access' } },
      router: { kind: 'router', defaultRoute: '10.20.0.1', nat: { outside: 'stairs' } },
      home: { defaultRoute: '192.168.50.1' },
      visitor: { defaultRoute: '11.5.0.1' },
      vps: { defaultRoute: '11.1.0.1' },
    },
    networks: {
      names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' },
      issuing: { core: '11.6.0.1/24', authority: '11.6.0.2/24' },
      uplink: { core: '11.2.0.1/24', carrier: '11.2.0.2/24' },
      access: { carrier: '100.64.0.1/24', house: '100.64.0.2/24' },
      stairs: { house: '10.20.0.1/24', router: '10.20.0.2/24' },
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
      elsewhere: { core: '11.5.0.1/24', visitor: `${VISITOR}/24` },
      hosting: { core: '11.1.0.1/24', vps: `${RELAY}/24` },
    },
  },
  'relay-shop',
);

export class RelayShopLab {
  readonly lab: Lab;
  readonly owner: Owner;
  readonly #signal: AbortSignal;

  private constructor(lab: Lab, owner: Owner, signal: AbortSignal) {
    this.lab = lab;
    this.owner = owner;
    this.#signal = signal;
  }

  /** Home and relay run, and do not know each other. */
  static async start(signal: AbortSignal): Promise<RelayShopLab> {
    const lab = await startLab(topology, { signal });
    const { directory, ca } = labAuthority(lab.node('authority'), lab.topology);
    const config = `certificates: { ca: "${directory}", roots: ${ca} }
services:
  shop: { port: 80, kind: http }
  node: { port: 9735, kind: tcp }
`;
    const gateway = await LabGateway.prepare(lab, 'home', config);
    const scene = new RelayShopLab(lab, new Owner(gateway, signal), signal);
    await scene.startRelay();
    await lab.node('visitor').run(['dd', 'status=none', `of=${CREDENTIAL}`], { signal, input: SECRET });
    await scene.demand('up');
    await scene.#serve('shop', WEB, 'shop', '80');
    await scene.#serve('node', MAIN, 'node', '9735');
    return scene;
  }

  async #serve(service: string, ...words: string[]): Promise<void> {
    const logFile = join(this.lab.node('home').directory, `${service}.log`);
    const argv = this.owner.gateway.argv('service', 'run', service, '--', NODE_INSIDE, ...words);
    await this.lab.node('home').detach(argv, { logFile });
    await vi.waitFor(async () => expect(await readFile(logFile, 'utf8')).toContain('ready'), 10_000);
  }

  async startRelay(): Promise<void> {
    const vps = this.lab.node('vps');
    const listen = ['--listen', `${RELAY}:7443`, '--state', join(vps.directory, 'relay')];
    await vps.detach([PROGRAM, '--json', 'relay', 'up', ...listen], { logFile: this.#relayLog });
  }

  get #relayLog(): string {
    return join(this.lab.node('vps').directory, 'relay.log');
  }

  async invite(): Promise<string> {
    const read = (): Promise<string> => readFile(this.#relayLog, 'utf8');
    await expect.poll(read, { timeout: 20_000 }).toMatch(/"invite":"gateway-relay:/);
    const line = (await read()).split('\n').find((each) => each.startsWith('{"listening"')) ?? '';
    return (JSON.parse(line) as RelayUp).invite ?? '';
  }

  /** A command that must work. */
  async demand(...words: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.owner.type(...words);
    if (exitCode !== 0) throw new Error(`gateway ${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** The one DNS record that the owner sets, in the form of a domain's company. */
  async setRecord(address: string): Promise<void> {
    const sets = [{ name: DOMAIN, type: 'A', ttlSeconds: 5, values: [address] }];
    const words = ['shop.test', JSON.stringify(NAME_SERVER), JSON.stringify(sets)];
    expect(await this.on('visitor', NODE_INSIDE, DNS_MAIN, ...words)).toBe('done\n');
  }

  async way(service: string): Promise<Way | undefined> {
    return wayOf(await this.owner.gateway.status(this.#signal), service, 'relay');
  }

  get root(): string {
    return labAuthority(this.lab.node('authority'), this.lab.topology).root;
  }

  /** As a browser elsewhere, which trusts the authority and nobody else: the page, or why there is none. */
  async open(path = '/', ...more: string[]): Promise<string> {
    const argv: Argv = ['curl', '-sS', '--max-time', '8', '--cacert', this.root, ...more];
    const accept = Array.from({ length: 100 }, (_, code) => code);
    const url = `https://${DOMAIN}${path}`;
    const { stdout, stderr } = await this.lab.node('visitor').run([...argv, url], {
      signal: this.#signal,
      accept,
    });
    return `${stdout}${stderr}`;
  }

  knock(port: number): Promise<string> {
    return this.on('visitor', NODE_INSIDE, MAIN, 'knock', RELAY, String(port)).then((text) => text.trim());
  }

  /** Resolves with how much of what is sent for so long does not come back. */
  async talk(host: string, port: number, seconds: number): Promise<string> {
    const argv: Argv = [NODE_INSIDE, MAIN, 'echo', host, String(port), String(seconds)];
    return (await this.on('visitor', ...argv)).trim();
  }

  /** Resolves with what became of a WebSocket that is open for so long. */
  async socket(seconds: number): Promise<string> {
    const argv: Argv = [NODE_INSIDE, MAIN, 'socket', DOMAIN, this.root, String(seconds)];
    return this.on('visitor', ...argv);
  }

  async on(node: string, ...argv: Argv): Promise<string> {
    const { stdout } = await this.lab.node(node).run(argv, { signal: this.#signal, timeoutMs: 60_000 });
    return stdout;
  }

  /** kill -9; returns how many there were. */
  async kill(node: string, pattern: string): Promise<number> {
    const options = { signal: this.#signal, accept: [0, 1] };
    const { stdout } = await this.lab.node(node).run(['pgrep', '-f', pattern], options);
    const pids = stdout.split('\n').filter((line) => line !== '');
    for (const pid of pids) await this.lab.node(node).run(['kill', '-9', pid], options);
    return pids.length;
  }
}
