import { formatEndpoint } from '../../core/inet.ts';
import type { RelayCarried, RelayCarry, RelayCarrying, RelayTunnel } from '../../core/relay-carry.ts';
import { Turn } from '../../core/turn.ts';
import { readFileIfExists } from '../../system/files.ts';
import { address6In, addressIn, RELAY_NUMBER } from '../addresses.ts';
import type { LineClient } from '../lines.ts';
import type { Members } from '../members.ts';
import { type Holding, PeerSeen, RelayGround, type RootQuestion } from '../state.ts';
import { freeNumber, grant } from './grants.ts';
import { Holdings } from './holdings.ts';

export interface CarrierOptions {
  /** Where what homes hold is kept. */
  readonly directory: string;
  readonly root: LineClient;
  /** Only who is one of them may hold anything. */
  readonly members: Pick<Members, 'homes'>;
  /** Where homes reach this machine: name or address. */
  readonly host: string;
  /** TCP port for homes. */
  readonly port: number;
  readonly now: () => number;
}

/** How long what the tunnel said of its homes may be told again. */
const PEERS_MS = 1000;

/** What the relay carries for whom. Every change is durable and in effect when it is answered. */
export class Carrier {
  readonly #options: CarrierOptions;
  readonly #ground: RelayGround;
  readonly #holdings: Holdings;
  readonly #turn = new Turn();
  #peers: { readonly atMs: number; readonly seen: Promise<ReadonlyMap<string, PeerSeen>> } | undefined;

  private constructor(options: CarrierOptions, ground: RelayGround, holdings: Holdings) {
    this.#options = options;
    this.#ground = ground;
    this.#holdings = holdings;
  }

  /** Homes that left while the relay was away hold nothing any more. */
  static async start(options: CarrierOptions): Promise<Carrier> {
    const ground = RelayGround.parse(await ask(options.root, { ask: 'ground' }));
    const holdings = await Holdings.open(options.directory);
    const known = new Set(await options.members.homes());
    for (const { home } of holdings.all()) if (!known.has(home)) await holdings.remove(home);
    const carrier = new Carrier(options, ground, holdings);
    await carrier.#apply();
    return carrier;
  }

  /** Why this key cannot be a home's; asked before an invite is spent. `home`: absent for one that is to join. */
  keyFault(publicKey: string, home?: string): string | undefined {
    const all = this.#holdings.all();
    const isTaken = all.some((other) => other.publicKey === publicKey && other.home !== home);
    if (isTaken || publicKey === this.#ground.publicKey) return 'another home of this relay has this key';
    const isHeld = home !== undefined && this.#holdings.of(home) !== undefined;
    return isHeld || freeNumber(all) !== undefined ? undefined : 'this relay has no address left for a home';
  }

  /** A home's first key, or another one: whoever has the one before is cut off. Or why it cannot be. */
  setKey(home: string, publicKey: string): Promise<RelayTunnel | string> {
    return this.#turn.take(async () => {
      const fault = this.keyFault(publicKey, home);
      if (fault !== undefined) return fault;
      // It may have been removed while it waited for its turn.
      if (!(await this.#options.members.homes()).includes(home)) return 'this home is not known here';
      const held = this.#holdings.of(home);
      const number = held?.number ?? freeNumber(this.#holdings.all()) ?? 0;
      const before = held ?? { home, number, names: [], ports: [], devicesPort: null };
      await this.#put({ ...before, publicKey });
      return this.#tunnelOf(number);
    });
  }

  /** `undefined`: this home has no key here. */
  carry(home: string, asked: RelayCarry): Promise<RelayCarried | undefined> {
    return this.#turn.take(async () => {
      const mine = this.#holdings.of(home);
      if (mine === undefined) return undefined;
      const listening = { tcp: await listeningPorts('tcp'), udp: await listeningPorts('udp') };
      const options = { ground: this.#ground, listening, ownPort: this.#options.port };
      const { holding, carried } = grant(mine, asked, { ...options, holdings: this.#holdings.all() });
      await this.#put(holding);
      return carried;
    });
  }

  leave(home: string): Promise<void> {
    return this.#turn.take(async () => {
      if (await this.#holdings.remove(home)) await this.#apply();
    });
  }

  async carrying(home: string): Promise<RelayCarrying | null> {
    const held = this.#holdings.of(home);
    if (held === undefined) return null;
    const seen = (await this.#seen()).get(held.publicKey);
    const handshake = seen?.latestHandshake ?? 0;
    const { tlsPort, httpPort } = this.#ground;
    return {
      tlsPort,
      httpPort,
      handshakeAgeSeconds:
        handshake === 0 ? null : Math.max(0, Math.round(this.#options.now() / 1000 - handshake)),
      receivedBytes: seen?.received ?? 0,
      sentBytes: seen?.sent ?? 0,
      names: [...held.names],
      ports: held.ports.map(({ protocol, from, to }) => ({
        protocol,
        from,
        ...(to === from ? {} : { to }),
      })),
      devicesPort: held.devicesPort,
    };
  }

  #tunnelOf(number: number): RelayTunnel {
    const { publicKey, mtu, wireguardPort } = this.#ground;
    const { host } = this.#options;
    const [address6, relayAddress6] = [number, RELAY_NUMBER].map((each) => address6In(this.#ground, each));
    return {
      publicKey,
      // UDP 443 is let out where 51820 is not.
      endpoints: [wireguardPort, 443].map((port) => formatEndpoint({ host, port })),
      address: addressIn(this.#ground, number),
      relayAddress: addressIn(this.#ground, RELAY_NUMBER),
      ...(address6 === undefined || relayAddress6 === undefined ? {} : { address6, relayAddress6 }),
      mtu,
    };
  }

  /** Durable before it is in effect; what cannot be in effect is taken back. */
  async #put(holding: Holding): Promise<void> {
    const before = this.#holdings.of(holding.home);
    // In effect already: the part that is root looks after that by itself.
    if (JSON.stringify(before) === JSON.stringify(holding)) return;
    await this.#holdings.put(holding);
    try {
      await this.#apply();
    } catch (error) {
      if (before === undefined) await this.#holdings.remove(holding.home);
      else await this.#holdings.put(before);
      throw error;
    }
  }

  async #apply(): Promise<void> {
    await ask(this.#options.root, { ask: 'apply', holdings: [...this.#holdings.all()] });
  }

  #seen(): Promise<ReadonlyMap<string, PeerSeen>> {
    const now = this.#options.now();
    if (this.#peers !== undefined && now - this.#peers.atMs < PEERS_MS) return this.#peers.seen;
    const seen = ask(this.#options.root, { ask: 'peers' }).then(
      (value) =>
        new Map(
          PeerSeen.array()
            .parse(value)
            .map((peer) => [peer.publicKey, peer]),
        ),
    );
    this.#peers = { atMs: now, seen };
    return seen;
  }
}

function ask(root: LineClient, question: RootQuestion): Promise<unknown> {
  return root.ask(question);
}

/**
 * Ports that programs of this machine have for others, proc_net_tcp(5): `sl local_address rem_address st …`; a TCP socket
 * that listens has state 0A, a UDP socket that takes from anybody 07.
 */
async function listeningPorts(protocol: 'tcp' | 'udp'): Promise<ReadonlySet<number>> {
  const state = protocol === 'tcp' ? '0A' : '07';
  const files = await Promise.all(
    [protocol, `${protocol}6`].map((name) => readFileIfExists(`/proc/net/${name}`)),
  );
  const lines = files.flatMap((file) => (file?.toString() ?? '').split('\n').slice(1));
  return new Set(
    lines.flatMap((line) => {
      const [, local = '', , st] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      return st === state && !LOOPBACK.test(address) ? [Number.parseInt(port, 16)] : [];
    }),
  );
}

/** 127.0.0.0/8 and ::1, as the kernel of a little-endian machine writes them; visitors come to neither. */
const LOOPBACK = /^(.{6}7F|0{24}01000000)$/;
