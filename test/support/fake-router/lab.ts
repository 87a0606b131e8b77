import { expect } from 'vitest';
import { NODE_INSIDE, parseTopology, startLab, type Lab } from '../../../src/lab/index.ts';
import type { Lease, LeaseCheck, RouterEntry } from '../../../src/core/mapping.ts';
import type { Step } from './client-main.ts';
import type { ROUTERS } from '../../fixtures/routers.ts';
import type { RouterScript } from './script.ts';

export type Router = keyof typeof ROUTERS;

/** A port that is open for what is left of an hour. */
export const OPEN = {
  externalPort: 51_820,
  lifetimeSeconds: expect.toSatisfy((left: number) => left > 3590 && left <= 3600) as number,
  externalAddress: '11.2.0.2',
};

export const HOME = '192.168.50.10';
const ROUTER = '192.168.50.1';
export const HOME_V6 = '2001:db8:50::10';
const ROUTER_V6 = '2001:db8:50::1';
const FAKE = '/opt/gateway/test/support/fake-router';

const TOPOLOGY = parseTopology(
  {
    nodes: { home: { defaultRoute: ROUTER }, router: {}, neighbour: {} },
    networks: { lan: { router: `${ROUTER}/24`, home: `${HOME}/24`, neighbour: '192.168.50.66/24' } },
  },
  'a home with a fake router',
);

/** What a step came to: a lease, a check, a table, or the failure as the user reads it. */
export type Outcome = Partial<Lease & LeaseCheck> & {
  readonly error?: string;
  readonly hint?: string;
  readonly refusal?: string;
  readonly seconds?: number;
  /** Of a fake router. */
  readonly heard?: readonly string[];
  readonly asked?: readonly string[];
  readonly table?: readonly Record<string, unknown>[];
} & readonly RouterEntry[];

/** A home whose router does what it is told; one lab for all dialogues of a file. */
export class FakeHome implements AsyncDisposable {
  readonly lab: Lab;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  static async start(): Promise<FakeHome> {
    const lab = await startLab(TOPOLOGY, { signal: AbortSignal.timeout(60_000) });
    const home = new FakeHome(lab);
    await home.#run('router', ROUTER);
    return home;
  }

  async #run(node: string, address: string): Promise<void> {
    const logFile = `${this.lab.node(node).directory}/fake.log`;
    await this.lab.node(node).detach([NODE_INSIDE, `${FAKE}/main.ts`, address], { logFile });
    const isUp = `until ss -Hltn | grep -qF '${address.includes(':') ? `[${address}]` : address}:4999'; do sleep 0.02; done`;
    await this.lab.node(node).run(['dash', '-c', isUp], { signal: AbortSignal.timeout(10_000) });
  }

  /** A second router on the same network, which is not on the way. */
  async addNeighbour(): Promise<void> {
    await this.#run('neighbour', '192.168.50.66');
  }

  /** The same router, asked over IPv6. */
  async addIpv6(): Promise<void> {
    for (const [node, address] of Object.entries({ home: HOME_V6, router: ROUTER_V6 })) {
      const add = ['ip', '-6', 'addr', 'add', `${address}/64`, 'dev', 'lan', 'nodad'] as const;
      await this.lab.node(node).run(add, { signal: AbortSignal.timeout(10_000) });
    }
    await this.#run('router', ROUTER_V6);
  }

  /** What was asked of the neighbour's web server. */
  async askedOfNeighbour(): Promise<readonly string[]> {
    const program = [NODE_INSIDE, `${FAKE}/client-main.ts`, '192.168.50.66', HOME] as const;
    const argv = [...program, JSON.stringify([{ tell: true }])] as const;
    const { stdout } = await this.lab.node('home').run(argv, { signal: AbortSignal.timeout(10_000) });
    return (JSON.parse(stdout) as Outcome[])[0]?.asked ?? ['no answer'];
  }

  /** The router behaves so, and home asks in these steps; what each came to, in order. */
  async play(script: RouterScript, ...steps: readonly Step[]): Promise<Outcome[]> {
    return await this.#play([ROUTER, HOME], script, steps);
  }

  /** As `play`, for pinholes in its IPv6 firewall. */
  async playIpv6(script: RouterScript, ...steps: readonly Step[]): Promise<Outcome[]> {
    return await this.#play([ROUTER_V6, HOME_V6], script, steps);
  }

  async #play(
    [router, home]: readonly [string, string],
    script: RouterScript,
    steps: readonly Step[],
  ): Promise<Outcome[]> {
    const program = [NODE_INSIDE, `${FAKE}/client-main.ts`, router, home] as const;
    const argv = [...program, JSON.stringify([{ play: script }, ...steps])] as const;
    const { stdout } = await this.lab.node('home').run(argv, { signal: AbortSignal.timeout(60_000) });
    return (JSON.parse(stdout) as Outcome[]).slice(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.stop();
  }
}
