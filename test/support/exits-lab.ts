import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExitsReport } from '../../src/core/exits.ts';
import { NODE_INSIDE, parseTopology, startLab, type Lab, type LabNode } from '../../src/lab/index.ts';
import { ensureIdentity } from '../../src/relay/identity.ts';

/** Where root name servers are: what an exit is tried with. */
const ROOTS = ['198.41.0.4/24', '192.5.5.241/24', '193.0.14.129/24', '202.12.27.33/24'];
export const EXITS = ['11.9.0.13', '11.9.0.14', '11.9.0.15'];

/** A private Tor network with three exits, and root name servers that accept connections. */
export const EXITS_NETWORK = {
  nodes: {
    tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor', exits: 3 }] },
    roots: { defaultRoute: '198.41.0.1', services: [{ type: 'page', port: 53 }] },
  },
  networks: {
    relays: {
      core: '11.9.0.1/24',
      tornet: [10, 11, 12, 13, 14, 15].map((last) => `11.9.0.${last}/24`),
    },
    roots: { core: ['198.41.0.1/24', '192.5.5.1/24', '193.0.14.1/24', '202.12.27.1/24'], roots: ROOTS },
  },
} as const;

const TOPOLOGY = parseTopology(
  {
    nodes: {
      ...EXITS_NETWORK.nodes,
      core: { kind: 'router' },
      router: { kind: 'router', defaultRoute: '11.2.0.1', nat: { outside: 'uplink' } },
      home: { defaultRoute: '192.168.50.1' },
    },
    networks: {
      ...EXITS_NETWORK.networks,
      uplink: { core: '11.2.0.1/24', router: '11.2.0.2/24' },
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
    },
  },
  'exits',
);

const LIAR_PORT = 9443;
export const TCP_PORT = 8440;
export const TLS_PORT = 8443;
const SECRET = 'what only the home knows';
const PROGRAM = '/opt/gateway/test/support/exits-main.ts';

/** A home behind a router, with a Tor client, a server for TCP and one for TLS; nothing is forwarded yet. */
export class ExitsLab {
  readonly lab: Lab;
  readonly #tor: string;
  readonly #fingerprint: string;
  readonly #signal: AbortSignal;

  private constructor(lab: Lab, tor: string, fingerprint: string, signal: AbortSignal) {
    this.lab = lab;
    this.#tor = tor;
    this.#fingerprint = fingerprint;
    this.#signal = signal;
  }

  static async start(signal: AbortSignal): Promise<ExitsLab> {
    const lab = await startLab(TOPOLOGY, { signal });
    const home = lab.node('home');
    const { pem } = await ensureIdentity(home.directory);
    const fingerprint = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
    const started = new ExitsLab(lab, join(home.directory, 'tor'), fingerprint, signal);
    await started.#startTor(home);
    await serve(home, TCP_PORT, SECRET);
    await serve(home, TLS_PORT, SECRET, join(home.directory, 'identity.pem'));
    const tornet = lab.node('tornet');
    await ensureIdentity(tornet.directory);
    await serve(tornet, LIAR_PORT, SECRET, join(tornet.directory, 'identity.pem'));
    return started;
  }

  async #startTor(home: LabNode): Promise<void> {
    await mkdir(this.#tor, { recursive: true, mode: 0o700 });
    const torrc = [
      `DataDirectory ${this.#tor}`,
      `SocksPort unix:${this.#tor}/socks RelaxDirModeCheck`,
      `ControlPort unix:${this.#tor}/control RelaxDirModeCheck`,
      `Log notice file ${this.#tor}/notice.log`,
      this.lab.torrc,
    ];
    await writeFile(join(this.#tor, 'torrc'), torrc.join('\n'));
    await writeFile(join(this.#tor, 'defaults'), '');
    const files = ['-f', join(this.#tor, 'torrc'), '--defaults-torrc', join(this.#tor, 'defaults')];
    await home.detach(['tor', ...files, '--quiet'], { logFile: join(home.directory, 'tor.out') });
    const isReady = `until grep -qs "Bootstrapped 100%" ${this.#tor}/notice.log; do sleep 0.05; done`;
    await home.run(['dash', '-c', isReady], { signal: this.#signal });
  }

  /** Has the router lead these ports to the home, and refuse all others; most routers say nothing instead. */
  forward(...ports: number[]): Promise<void> {
    const forwards = ports.map(
      (port) => `add rule ip nat prerouting iifname uplink tcp dport ${port} dnat to 192.168.50.10:${port}`,
    );
    return this.#filter('router', [
      'flush chain ip nat prerouting',
      ...forwards,
      'table ip refusal {',
      '  chain input { type filter hook input priority 0; }',
      '}',
      'flush chain ip refusal input',
      'add rule ip refusal input iifname uplink ct state new meta l4proto tcp reject with tcp reset',
    ]);
  }

  /** These exits answer themselves what is meant for the home, with a certificate of their own; the others do not. */
  lie(...exits: string[]): Promise<void> {
    const lies = exits.map((exit) => {
      const meant = `ip saddr ${exit} tcp dport { ${TCP_PORT}, ${TLS_PORT} }`;
      return `add rule ip liar output ${meant} dnat to 11.9.0.10:${LIAR_PORT}`;
    });
    return this.#filter('tornet', [
      'table ip liar {',
      '  chain output { type nat hook output priority -100; }',
      '}',
      'flush chain ip liar output',
      ...lies,
    ]);
  }

  async #filter(node: string, lines: readonly string[]): Promise<void> {
    const input = `${lines.join('\n')}\n`;
    await this.lab.node(node).run(['nft', '-f', '-'], { signal: this.#signal, input });
  }

  async probe(kind: 'tcp' | 'tls'): Promise<ExitsReport> {
    const port = kind === 'tcp' ? TCP_PORT : TLS_PORT;
    const more = kind === 'tcp' ? [] : [this.#fingerprint];
    const words = ['probe', this.#tor, '11.2.0.2', String(port), SECRET, ...more];
    const { stdout } = await this.lab.node('home').run([NODE_INSIDE, PROGRAM, ...words], {
      signal: this.#signal,
      timeoutMs: 95_000,
    });
    return JSON.parse(stdout) as ExitsReport;
  }
}

async function serve(node: LabNode, port: number, secret: string, ...pem: string[]): Promise<void> {
  const log = { logFile: join(node.directory, `serve-${port}.log`) };
  await node.detach([NODE_INSIDE, PROGRAM, 'serve', String(port), secret, ...pem], log);
  const isListening = `until ss -Hltn | grep -q :${port}; do sleep 0.02; done`;
  await node.run(['dash', '-c', isListening], { signal: AbortSignal.timeout(20_000) });
}
