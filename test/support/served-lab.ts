import { join } from 'node:path';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { MappingProtocol } from '../../src/core/mapping.ts';
import { mappingTopology, startMappingHome, type MappingHome } from './mapping-lab.ts';
import { joinProbeRelay } from './probe-relay.ts';

const SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==';
const CREDENTIAL = '/run/updates.key';
export const HOME_NAME = 'home.lab.test';

/** A home whose router opens ports, with a zone that takes updates and a machine to rent outside. */
export async function startServedHome(
  protocols: readonly MappingProtocol[],
  signal: AbortSignal,
): Promise<ServedHome> {
  const topology = mappingTopology(protocols, {
    nodes: {
      dns: { defaultRoute: '11.4.0.1', services: [{ type: 'dns', zone: 'lab.test', updates: SECRET }] },
      vps: { defaultRoute: '11.1.0.1' },
    },
    networks: {
      names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' },
      hosting: { core: '11.1.0.1/24', vps: ['11.1.0.2/24', '11.1.0.3/24'] },
    },
  });
  return new ServedHome(await startMappingHome(protocols, signal, () => Promise.resolve(), topology), signal);
}

/** What can happen to such a home. */
export class ServedHome {
  readonly home: MappingHome;
  readonly #signal: AbortSignal;

  constructor(home: MappingHome, signal: AbortSignal) {
    this.home = home;
    this.#signal = signal;
  }

  /** Gives it a name, which its codes then carry. */
  async name(): Promise<void> {
    const { lab, owner } = this.home;
    const on = (...argv: [string, ...string[]]) =>
      lab.node('home').run(argv, { signal: this.#signal, input: SECRET });
    await on('dd', 'status=none', `of=${CREDENTIAL}`);
    await on('chown', 'gateway', CREDENTIAL);
    await on('chmod', '600', CREDENTIAL);
    const where = ['--zone', 'lab.test', '--at', 'rfc2136', '--server', '11.4.0.53', '--key', 'updates'];
    const set = await owner.type('name', 'set', HOME_NAME, ...where, '--credential', CREDENTIAL);
    if (set.exitCode !== 0) throw new Error(`${set.stdout}${set.stderr}`);
    // A code that is made before carries the address.
    while (!(await owner.type('name', 'list')).stdout.includes('11.2.0.2')) {
      await sleep(500, undefined, { signal: this.#signal });
    }
  }

  async joinRelay(): Promise<void> {
    await joinProbeRelay(this.home.lab, this.home.owner, ['11.1.0.2', '11.1.0.3'], this.#signal);
  }

  /** Takes its line away and gives it another address, as providers do at night; nobody at home is told. */
  async moveTo(address: string, from = '11.2.0.2'): Promise<void> {
    await this.router('ip', 'address', 'del', `${from}/24`, 'dev', 'uplink');
    await this.router('ip', 'address', 'add', `${address}/24`, 'dev', 'uplink');
    await this.router('ip', 'route', 'replace', 'default', 'via', '11.2.0.1');
    // The provider would not lead the old address there any more.
    const forget = ['ip', 'neighbour', 'flush', 'all'] as const;
    await this.home.lab.node('core').run([...forget], { signal: this.#signal });
  }

  /** Also for phones whose tunnel stands: what the router knows of their flows is forgotten. */
  async stopForwarding(): Promise<void> {
    await this.router('nft', 'flush', 'chain', 'inet', 'upnp', 'prerouting_miniupnpd');
    await this.router('conntrack', '-F');
  }

  async cutDaemon(): Promise<void> {
    const { owner } = this.home;
    const [pid = ''] = await owner.pidsOf('main.js daemon');
    await owner.home('kill', '-9', pid);
  }

  /** As if the daemon had been away for so long: what it wrote down is so much older. */
  async age(seconds: number): Promise<void> {
    const file = join(this.home.owner.gateway.root, 'lib', 'mappings.json');
    const memory = Times.parse(JSON.parse(await readFile(file, 'utf8')));
    for (const { held } of memory.ports) {
      if (held === undefined) continue;
      held.since -= seconds * 1000;
      held.seen.at -= seconds * 1000;
      if (held.expiresAt !== undefined) held.expiresAt -= seconds * 1000;
    }
    await writeFile(file, JSON.stringify(memory));
  }

  /** Its UPnP accepts connections and says nothing more, until it does again. */
  async hangUpnp(isHung: boolean): Promise<void> {
    if (!isHung) return this.router('nft', 'delete', 'table', 'ip', 'hung');
    const drop = '    tcp dport 5000 tcp flags & psh == psh drop\n';
    const input = `table ip hung {\n  chain input {\n    type filter hook input priority -300\n${drop}  }\n}\n`;
    await this.home.lab.node('router').run(['nft', '-f', '-'], { signal: this.#signal, input });
    return undefined;
  }

  /** No multicast reaches the home, nor leaves it. */
  async dropMulticast(): Promise<void> {
    const drop = (hook: string, field: string): string =>
      `  chain ${hook} {\n    type filter hook ${hook} priority -300\n    ip ${field} 224.0.0.0/4 drop\n  }\n`;
    const text = `table ip quiet {\n${drop('input', 'daddr')}${drop('output', 'daddr')}}\n`;
    const options = { signal: this.#signal, input: text };
    await this.home.lab.node('home').run(['nft', '-f', '-'], options);
  }

  async router(...argv: [string, ...string[]]): Promise<void> {
    await this.home.lab.node('router').run(argv, { signal: this.#signal });
  }

  async restartRouter(): Promise<void> {
    await this.home.lab.node('router').cut();
    await this.home.lab.boot('router', this.#signal);
  }
}

const Times = z.looseObject({
  ports: z.array(
    z.looseObject({
      held: z
        .looseObject({
          since: z.number(),
          expiresAt: z.number().optional(),
          seen: z.looseObject({ at: z.number() }),
        })
        .optional(),
    }),
  ),
});
