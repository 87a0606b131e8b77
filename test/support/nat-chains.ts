import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MappingProtocol } from '../../src/core/mapping.ts';
import type { Mode, NatReport } from '../../src/doctor/types.ts';
import { NODE_INSIDE, parseTopology, type Lab, type Topology } from '../../src/lab/index.ts';
import { waitFor } from '../../src/lab/waiting.ts';
import { Members } from '../../src/relay/members.ts';
import { startOddNat, type OddPlace } from './odd-nat.ts';
import type { NatBehaviour } from '../../src/lab/topology.ts';

/** A router of a chain, as a lab builds it. */
export interface ChainRouter {
  readonly kind: 'nat' | 'plain' | 'firewall';
  /** Seconds; left out: Linux's own. */
  readonly timer?: number;
  readonly speaks?: readonly MappingProtocol[];
  /** Speaks PCP as RFC 6887 says, also to whom another router stands before; see pcp-main.ts. */
  readonly answersAll?: boolean;
  /** What it tells as its address outside. A router with a private one opens nothing unless it tells another. */
  readonly tells?: string;
  /** Translates to an address that is on no interface. */
  readonly hasPool?: boolean;
  readonly behaviour?: NatBehaviour;
  /** The network inside it: a home's, or one that a carrier uses. Beyond the last NAT it is a public one. */
  readonly inside?: keyof typeof INSIDE;
  /** What arrives unasked goes to the router inside it. */
  readonly isOpen?: boolean;
  /** In user space, and not as Linux does it. */
  readonly odd?: Pick<
    OddPlace,
    'isSilent' | 'unanswered' | 'answered' | 'countsIncoming' | 'atMost' | 'ports'
  >;
}

const INSIDE = { home: '192.168', carrier: '100.64', private: '10.20', squat: '25.7', container: '172.17' };

/** The nearest router first. */
export type Chain = readonly ChainRouter[];

export function natsIn(chain: Chain): number {
  return chain.filter(({ kind }) => kind === 'nat').length;
}

const RELAY = ['11.1.0.2', '11.1.0.3'] as const;

/** Homes, each behind its chain of routers, and one relay with two addresses behind a plain router. */
export function chainTopology(chains: readonly Chain[]): Topology {
  const nodes: Record<string, unknown> = {
    core: { kind: 'router', routes: [] },
    relay: { defaultRoute: '11.1.0.1' },
  };
  const networks: Record<string, Record<string, string | string[]>> = {
    hosting: { core: '11.1.0.1/24', relay: RELAY.map((address) => `${address}/24`) },
  };
  const coreRoutes: Route[] = [];
  for (const [number, chain] of chains.entries()) {
    const built = new BuiltChain(number, chain);
    Object.assign(nodes, built.nodes());
    for (const [name, members] of Object.entries(built.networks())) networks[name] = members;
    coreRoutes.push(...built.routesOf(chain.length + 1));
  }
  nodes['core'] = { kind: 'router', routes: coreRoutes };
  return parseTopology({ nodes, networks }, `${chains.length} chains of routers`);
}

interface Route {
  readonly to: string;
  readonly via: string;
}

/** Devices: 0 the home, 1 … n the routers, n + 1 the core. Network k lies between devices k and k + 1. */
class BuiltChain {
  readonly #number: number;
  readonly #chain: Chain;
  readonly #lastNat: number;

  constructor(number: number, chain: Chain) {
    this.#number = number;
    this.#chain = chain;
    this.#lastNat = chain.findLastIndex(({ kind }) => kind === 'nat') + 1;
  }

  nodes(): Record<string, unknown> {
    const nodes: Record<string, unknown> = { [this.#name(0)]: { defaultRoute: this.#inner(0) } };
    for (const [index, router] of this.#chain.entries()) {
      const device = index + 1;
      const outside = this.#network(device);
      const { kind, behaviour, speaks = [], tells, timer } = router;
      const nat = {
        outside,
        ...(router.hasPool === true ? { pool: this.#pool(device) } : {}),
        ...(behaviour === undefined ? {} : { behaviour }),
        ...(router.isOpen === true ? { dmz: this.#outer(index) } : {}),
      };
      nodes[this.#name(device)] = {
        kind: 'router',
        defaultRoute: this.#inner(device),
        routes: this.routesOf(device),
        ...(timer === undefined ? {} : { forgetsAfter: timer }),
        ...(kind === 'nat' && router.odd === undefined ? { nat } : {}),
        ...(kind === 'firewall' ? { firewall: { outside } } : {}),
        services:
          kind === 'nat' && speaks.length > 0
            ? [
                {
                  type: 'port-mapping',
                  inside: this.#network(index),
                  protocols: [...speaks],
                  ...(tells === undefined ? {} : { tells }),
                },
              ]
            : [],
      };
    }
    return nodes;
  }

  /** Routers whose NAT is not the kernel's. */
  oddPlaces(): (OddPlace & { readonly node: string })[] {
    return this.#chain.flatMap(({ odd }, index) => {
      if (odd === undefined) return [];
      const device = index + 1;
      return [
        {
          ...odd,
          node: this.#name(device),
          insideNetwork: this.#network(index),
          outsideNetwork: this.#network(device),
          inside: this.#inner(index),
          outside: this.#outer(device),
        },
      ];
    });
  }

  /** Routers that speak PCP to everybody. */
  pcpPlaces(): { readonly node: string; readonly inside: string }[] {
    return this.#chain.flatMap(({ answersAll = false }, index) =>
      answersAll ? [{ node: this.#name(index + 1), inside: this.#inner(index) }] : [],
    );
  }

  networks(): Record<string, Record<string, string>> {
    const all = Array.from({ length: this.#chain.length + 1 }, (_, index) => index);
    return Object.fromEntries(
      all.map((index) => [
        this.#network(index),
        {
          [this.#name(index)]: `${this.#outer(index)}/24`,
          [this.#name(index + 1)]: `${this.#inner(index)}/24`,
        },
      ]),
    );
  }

  /** What lies inside a device, as far as the next NAT hides it. */
  routesOf(device: number): Route[] {
    const routes: Route[] = [];
    for (let inner = device - 1; inner >= 1; inner -= 1) {
      const via = this.#outer(device - 1);
      const router = this.#chain[inner - 1];
      if (router?.hasPool === true) routes.push({ to: `${this.#pool(inner)}/32`, via });
      if (router?.kind === 'nat') break;
      routes.push({ to: `${this.#prefix(inner - 1)}.0/24`, via });
    }
    return routes;
  }

  #name(device: number): string {
    if (device > this.#chain.length) return 'core';
    return device === 0 ? `home-${this.#number}` : `r${device}-${this.#number}`;
  }

  #network(index: number): string {
    return `net${index}-${this.#number}`;
  }

  /** The first three bytes. */
  #prefix(index: number): string {
    if (index >= this.#lastNat) return `11.${100 + index}.${this.#number}`;
    const inside = this.#chain[index]?.inside ?? 'home';
    return `${INSIDE[inside]}.${100 + index}`;
  }

  /** The address of device `index`, and of device `index + 1`, in the network between them. */
  #outer(index: number): string {
    return `${this.#prefix(index)}.${index === 0 ? 10 : 2}`;
  }

  #inner(index: number): string {
    return `${this.#prefix(index)}.1`;
  }

  #pool(device: number): string {
    return device === this.#lastNat ? `11.200.${this.#number}.7` : `100.127.${this.#number}.7`;
  }
}

/** The NATs of such a lab that are not the kernel's. */
async function startOddNats(lab: Lab, chains: readonly Chain[], signal: AbortSignal): Promise<void> {
  const places = chains.flatMap((chain, number) => new BuiltChain(number, chain).oddPlaces());
  await Promise.all(places.map(({ node, ...place }) => startOddNat(lab.node(node), place, signal)));
}

async function startPcp(lab: Lab, chains: readonly Chain[]): Promise<void> {
  const places = chains.flatMap((chain, number) => new BuiltChain(number, chain).pcpPlaces());
  for (const { node: name, inside } of places) {
    const node = lab.node(name);
    const logFile = join(node.directory, 'pcp.log');
    await node.detach([NODE_INSIDE, '/opt/gateway/test/support/pcp-main.ts', inside], { logFile });
  }
}

/** What `nat-home-main.ts` is told. */
export interface NatHome {
  /** Left out: no relay; STUN alone. */
  readonly relay?: { readonly address: string; readonly fingerprint: string };
  readonly home: string;
  readonly secret: string;
  readonly stun: readonly string[];
  readonly mode: Mode;
  readonly windowSeconds?: number | undefined;
}

export interface NatLooked {
  readonly report: NatReport;
  readonly seconds: number;
}

export interface LookOptions {
  readonly mode: Mode;
  readonly windowSeconds?: number;
  /** There is none, but STUN. */
  readonly isWithoutRelay?: boolean;
  readonly signal: AbortSignal;
}

/** The relay of such a lab, and homes that ask it. */
export class NatLab {
  readonly #lab: Lab;
  readonly #fingerprint: string;

  private constructor(lab: Lab, fingerprint: string) {
    this.#lab = lab;
    this.#fingerprint = fingerprint;
  }

  static async start(lab: Lab, chains: readonly Chain[], signal: AbortSignal): Promise<NatLab> {
    await startOddNats(lab, chains, signal);
    await startPcp(lab, chains);
    const { directory } = lab.node('relay');
    const logFile = join(directory, 'relay.log');
    const program = [
      NODE_INSIDE,
      '/opt/gateway/test/support/nat-relay-main.ts',
      NatLab.#state(lab),
      ...RELAY,
    ] as const;
    await lab.node('relay').detach([...program], { logFile });
    const told = await waitFor(async () => /fingerprint=(\S+)/.exec(await readFile(logFile, 'utf8'))?.[1], {
      signal,
      timeoutMs: 30_000,
      what: 'the relay is up',
    });
    return new NatLab(lab, told);
  }

  /** What the home behind chain `number` finds. */
  async look(
    number: number,
    { mode, windowSeconds, isWithoutRelay = false, signal }: LookOptions,
  ): Promise<NatLooked> {
    const members = new Members(NatLab.#state(this.#lab));
    const secret = randomBytes(32).toString('base64url');
    const credential = createHash('sha256').update(Buffer.from(secret, 'base64url')).digest('base64url');
    const invite = await members.invite(Date.now() + 60_000, Date.now());
    const home = await members.join(invite, credential, Date.now());
    const told: NatHome = {
      ...(isWithoutRelay ? {} : { relay: { address: `${RELAY[0]}:7443`, fingerprint: this.#fingerprint } }),
      home: home ?? '',
      secret,
      stun: [`${RELAY[0]}:3478`],
      mode,
      windowSeconds,
    };
    const argv = [NODE_INSIDE, '/opt/gateway/test/support/nat-home-main.ts', JSON.stringify(told)] as const;
    const node = this.#lab.node(`home-${number}`);
    const ran = await node.run([...argv], { signal, timeoutMs: 600_000 });
    return JSON.parse(ran.stdout) as NatLooked;
  }

  static #state(lab: Lab): string {
    return join(lab.node('relay').directory, 'state');
  }
}
