import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../core/errors.ts';
import type { RelayWalked, WalkQuestion, WalkSend } from '../../core/relay-walk.ts';
import { encodeWalk, parseWalk, type WalkPacket } from '../../wire/walk.ts';

/** Asks a relay of ours; it must come to it over IPv4. */
export type AskWalk = (question: WalkQuestion, signal: AbortSignal) => Promise<RelayWalked>;

const FULL_TTL = 64;
/** Networks lose packets. */
const SENDS = 2;
const GAP_MS = 60;

/** A socket of ours, and what came in on it. */
export class Flow {
  readonly id: number;
  readonly #socket: Socket;
  readonly #session: string;
  readonly #came = new Set<WalkPacket['kind']>();

  private constructor(id: number, session: string, socket: Socket) {
    this.id = id;
    this.#session = session;
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('message', (bytes) => {
      const packet = parseWalk(bytes);
      if (packet?.session === session && packet.flow === id) this.#came.add(packet.kind);
    });
  }

  static open(id: number, session: string): Promise<Flow> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, () => {
        socket.removeAllListeners('error');
        resolve(new Flow(id, session, socket));
      });
    });
  }

  /** One at a time: the time to live is the socket's. What cannot be sent now may be the next time. */
  send(to: Target, ttl = FULL_TTL, flow = this.id): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.setTTL(ttl);
      const packet = encodeWalk({ session: this.#session, flow, kind: 'refresh' });
      this.#socket.send(packet, to.port, to.address, () => resolve());
    });
  }

  has(kind: WalkPacket['kind']): boolean {
    return this.#came.has(kind);
  }

  close(): void {
    this.#socket.close();
  }
}

export interface Target {
  readonly address: string;
  readonly port: number;
}

/** A session with a relay: sockets of ours, and what it sends back to them. */
export class Walk implements Disposable {
  readonly relay: Target;
  readonly other: Target | undefined;
  readonly signal: AbortSignal;
  readonly #ask: AskWalk;
  readonly #session: string;
  readonly #flows: Flow[] = [];
  #next: number;

  private constructor(ask: AskWalk, begun: RelayWalked, reserved: number, signal: AbortSignal) {
    const { address, other, port } = begun;
    this.#ask = ask;
    this.#session = begun.session;
    this.#next = reserved;
    this.relay = { address, port };
    this.other = other === null ? undefined : { address: other, port };
    this.signal = signal;
  }

  /** Flows below `reserved` are for whoever sends several over one socket. */
  static async begin(ask: AskWalk, reserved: number, signal: AbortSignal): Promise<Walk> {
    return new Walk(ask, await ask({ sends: [] }, signal), reserved, signal);
  }

  async flow(): Promise<Flow> {
    const id = this.#next;
    this.#next += 1;
    const flow = await Flow.open(id, this.#session);
    this.#flows.push(flow);
    return flow;
  }

  async flows(count: number): Promise<Flow[]> {
    return Promise.all(Array.from({ length: count }, () => this.flow()));
  }

  /** Has the relay send, and learns from which port it hears each flow. */
  async have(sends: readonly WalkSend[]): Promise<ReadonlyMap<number, number>> {
    const { heard } = await this.#ask({ session: this.#session, sends: [...sends] }, this.signal);
    return new Map(heard);
  }

  /** The same, so often that not all of them get lost. */
  async haveProbes(flows: readonly Flow[], kind: 'probe' | 'open'): Promise<void> {
    for (let sent = 0; sent <= SENDS; sent += 1) {
      for (let from = 0; from < flows.length; from += 60) {
        await this.have(flows.slice(from, from + 60).map(({ id }) => [id, FULL_TTL, kind]));
      }
      await this.wait(GAP_MS);
    }
  }

  /** Packets that go all the way, until the relay heard each flow. Throws when it does not. */
  async reach(flows: readonly Flow[]): Promise<ReadonlyMap<number, number>> {
    let heard: ReadonlyMap<number, number> = new Map();
    for (let tried = 0; tried < 4; tried += 1) {
      for (const flow of flows) if (!heard.has(flow.id)) await flow.send(this.relay);
      await this.wait(150 * (tried + 1));
      heard = await this.have([]);
      if (flows.every(({ id }) => heard.has(id))) return heard;
    }
    throw new GatewayError(`datagrams of ours do not arrive at the relay's UDP port ${this.relay.port}`, {
      code: 'RelayUnreachable',
      hint: "let UDP in on this port in the relay's firewall",
    });
  }

  wait(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.signal });
  }

  [Symbol.dispose](): void {
    for (const flow of this.#flows) flow.close();
  }
}

export const MOST_ROUTERS = 16;

/** Routers between here and the relay: the largest time to live with which nothing arrives. */
export async function distanceOf(walk: Walk): Promise<number> {
  const flow = await walk.flow();
  for (let sent = 0; sent <= SENDS; sent += 1) {
    for (let ttl = 1; ttl <= MOST_ROUTERS + 1; ttl += 1) await flow.send(walk.relay, ttl, ttl - 1);
    await walk.wait(GAP_MS);
  }
  await walk.wait(300);
  const heard = [...(await walk.have([])).keys()].filter((id) => id <= MOST_ROUTERS);
  if (heard.length > 0) return Math.min(...heard);
  throw new GatewayError(`no datagram of ours arrives at the relay's UDP port ${walk.relay.port}`, {
    code: 'RelayUnreachable',
    hint: "let UDP in on this port in the relay's firewall, or there are more routers than can be counted",
  });
}

/**
 * The outermost router that lets in only what something went out for. Towards the relay's second address a packet is sent
 * whose time to live ends at router t; then that address sends to us: it comes in when all that filter are before t.
 * `undefined`: the relay has no second address, or nothing comes from there at all. 0: nobody filters.
 */
export async function outermostFilter(walk: Walk, routers: number): Promise<number | undefined> {
  const { other } = walk;
  if (other === undefined) return undefined;
  const flows = await walk.flows(routers + 2);
  await walk.reach(flows);
  for (let sent = 0; sent < SENDS; sent += 1) {
    for (const [ttl, flow] of flows.entries()) if (ttl > 0) await flow.send(other, ttl);
    await walk.wait(GAP_MS);
  }
  await walk.haveProbes(flows, 'open');
  await walk.wait(500);
  const first = flows.findIndex((flow) => flow.has('open'));
  const isClear = first >= 0 && flows.slice(first).every((flow) => flow.has('open'));
  return isClear ? Math.max(0, first - 1) : undefined;
}
