import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import {
  labAuthority,
  NODE_INSIDE,
  parseTopology,
  startLab,
  type Lab,
  type Topology,
} from '../../src/lab/index.ts';
import type { Way } from '../../src/core/status.ts';
import type { RelayUp } from '../../src/relay/main.ts';
import { Owner, wayOf } from './owner.ts';

const PROGRAM = '/opt/gateway/bin/gateway';
const DNS_MAIN = '/opt/gateway/test/support/dns-main.ts';
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
const SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==';
const CREDENTIAL = '/run/updates.key';
const NAME_SERVER = { host: 'rfc2136', server: '11.4.0.53', key: 'updates', credential: CREDENTIAL } as const;
export const DOMAIN = 'pay.shop.test';

/** Without exits. */
export const TOR_NETWORK = {
  nodes: { tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] } },
  networks: {
    relays: { core: '11.9.0.1/24', tornet: [10, 11, 12, 13, 14].map((last) => `11.9.0.${last}/24`) },
  },
};

export interface PageLabOptions {
  /** The owner gave the gateway the zone; otherwise records are set by hand. Default: yes. */
  readonly isZoneGiven?: boolean;
  /** Of the shop in gateway.yaml. */
  readonly shop?: string;
  /** More lines of gateway.yaml. */
  readonly more?: string;
  /** How the home is seen from outside. Default: a relay that was joined. */
  readonly isRelayJoined?: boolean;
  /** More nodes: a Tor network. */
  readonly world?: Readonly<Record<'nodes' | 'networks', Readonly<Record<string, unknown>>>>;
}

/**
 * A home behind a router that opens ports by itself, a zone that takes updates, a certificate authority, a rented machine
 * for a relay, and a visitor elsewhere who trusts the authority. Nothing is forwarded, set or ordered by hand.
 */
function pageTopology({ world }: PageLabOptions): Topology {
  return parseTopology(
    {
      nodes: {
        core: { kind: 'router' },
        dns: {
          defaultRoute: '11.4.0.1',
          services: [{ type: 'dns', zone: 'shop.test', updates: SECRET }],
        },
        authority: { defaultRoute: '11.6.0.1', services: [{ type: 'acme' }] },
        router: {
          kind: 'router',
          defaultRoute: '11.2.0.1',
          nat: { outside: 'uplink' },
          services: [{ type: 'port-mapping', inside: 'lan', protocols: ['pcp', 'nat-pmp', 'upnp'] }],
        },
        home: { defaultRoute: '192.168.50.1' },
        visitor: { defaultRoute: '11.5.0.1' },
        vps: { defaultRoute: '11.1.0.1' },
        ...world?.nodes,
      },
      networks: {
        names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' },
        issuing: { core: '11.6.0.1/24', authority: '11.6.0.2/24' },
        uplink: { core: '11.2.0.1/24', router: '11.2.0.2/24' },
        lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
        access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
        hosting: { core: '11.1.0.1/24', vps: ['11.1.0.2/24', '11.1.0.3/24'] },
        ...world?.networks,
      },
    },
    'page',
  );
}

/** A home with a shop in it that is on no page yet, and its owner at the keyboard. */
export class PageLab {
  readonly lab: Lab;
  readonly owner: Owner;
  readonly #signal: AbortSignal;

  private constructor(lab: Lab, owner: Owner, signal: AbortSignal) {
    this.lab = lab;
    this.owner = owner;
    this.#signal = signal;
  }

  static async start(signal: AbortSignal, options: PageLabOptions = {}): Promise<PageLab> {
    const { isZoneGiven = true, isRelayJoined = true, shop = 'port: 80, kind: http', more = '' } = options;
    const lab = await startLab(pageTopology(options), { signal });
    const { directory, ca } = labAuthority(lab.node('authority'), lab.topology);
    const zones = isZoneGiven ? `dns: { zones: { shop.test: ${JSON.stringify(NAME_SERVER)} } }\n` : '';
    const certificates = `certificates: { ca: "${directory}", roots: ${ca} }\n`;
    const config = `${zones}${certificates}services:\n  shop: { ${shop} }\n${more}`;
    const gateway = await LabGateway.prepare(lab, 'home', config);
    const page = new PageLab(lab, new Owner(gateway, signal), signal);
    await page.#giveCredential('home', 'gateway');
    await page.#giveCredential('visitor', 'root');
    await page.demand('up');
    await gateway.runShop('shop', 80);
    if (isRelayJoined) await page.#joinRelay();
    return page;
  }

  /** A command that must work. */
  async demand(...words: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.owner.type(...words);
    if (exitCode !== 0) throw new Error(`gateway ${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** A file that this user may read, and nobody else. */
  async #giveCredential(node: string, user: string): Promise<void> {
    const on = (...argv: [string, ...string[]]) =>
      this.lab.node(node).run(argv, { signal: this.#signal, input: SECRET });
    await on('dd', 'status=none', `of=${CREDENTIAL}`);
    await on('chown', user, CREDENTIAL);
    await on('chmod', '600', CREDENTIAL);
  }

  async #joinRelay(): Promise<void> {
    const vps = this.lab.node('vps');
    const [state, log] = [join(vps.directory, 'relay'), join(vps.directory, 'relay.log')];
    await vps.run(['install', '-d', '-o', '65534', '-g', '65534', state], { signal: this.#signal });
    const listen = ['--listen', '11.1.0.2:7443', '--listen', '11.1.0.3:7443', '--state', state];
    const argv = [PROGRAM, '--json', 'relay', 'up', '--probe-only', ...listen];
    const [first = '', ...rest] = this.lab.usersMapped ? [...NOBODY, ...argv] : argv;
    await vps.detach([first, ...rest], { logFile: log });
    const line = await vi.waitFor(
      async () => {
        const lines = (await readFile(log, 'utf8')).split('\n');
        const found = lines.find((each) => each.includes('"invite":"gateway-relay:'));
        if (found === undefined) throw new Error('the relay has not printed its invite yet');
        return found;
      },
      { timeout: 20_000 },
    );
    const { invite } = JSON.parse(line) as RelayUp;
    await this.demand('relay', 'join', invite ?? '', '--name', 'vps');
  }

  expose(service = 'shop', domain = DOMAIN) {
    return this.owner.type('expose', service, '--via', 'clearnet', '--domain', domain);
  }

  /** What the visitor's browser trusts. */
  get root(): string {
    return labAuthority(this.lab.node('authority'), this.lab.topology).root;
  }

  /** curl's arguments for a look at the page as a browser elsewhere sees it, which trusts the authority and nobody else. */
  curl(url: string, ...more: string[]): [string, ...string[]] {
    return ['curl', '-sS', '--fail', '--max-time', '5', '--cacert', this.root, ...more, url];
  }

  /** The page, or why there is none. */
  async open(url = `https://${DOMAIN}/`): Promise<string> {
    const options = { signal: this.#signal, accept: Array.from({ length: 100 }, (_, code) => code) };
    const { stdout, stderr } = await this.lab.node('visitor').run(this.curl(url), options);
    return `${stdout}${stderr}`;
  }

  /** Until the visitor gets the page. */
  async opens(timeoutMs = 60_000): Promise<void> {
    await expect.poll(() => this.open(), { timeout: timeoutMs, interval: 300 }).toContain('The corner shop');
  }

  /** What a visitor's resolver says. */
  async lookup(name = DOMAIN): Promise<string> {
    return (await this.on('visitor', 'kdig', '+short', name, 'A')).stdout.trim();
  }

  on(node: string, ...argv: [string, ...string[]]): Promise<{ stdout: string; stderr: string }> {
    return this.lab.node(node).run(argv, { signal: this.#signal });
  }

  /** Sets an A record, as a person does in the form of a domain's company; without an address it goes. */
  async setRecord(address?: string, name = DOMAIN): Promise<void> {
    const sets = [{ name, type: 'A', ttlSeconds: 5, values: address === undefined ? [] : [address] }];
    const words = ['shop.test', JSON.stringify(NAME_SERVER), JSON.stringify(sets)];
    const { stdout } = await this.on('visitor', NODE_INSIDE, DNS_MAIN, ...words);
    expect(stdout).toBe('done\n');
  }

  async way(service = 'shop'): Promise<Way | undefined> {
    return wayOf(await this.owner.gateway.status(this.#signal), service, 'clearnet');
  }

  async condition(type: string): Promise<string> {
    const found = (await this.way())?.conditions.find((one) => one.type === type);
    return found === undefined ? '' : `${found.status}: ${found.message}`;
  }
}
