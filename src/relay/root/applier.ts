import { GatewayError } from '../../core/errors.ts';
import { endEdge, findOneOfEdge } from '../../helper/edge-process.ts';
import type { HelperEnvironment } from '../../helper/environment.ts';
import { readEndpoints, saveEndpoints } from '../../helper/wireguard-endpoints.ts';
import { ipv4Of } from '../../helper/wireguard.ts';
import { listTable, loadRules } from '../../system/nft.ts';
import { run } from '../../system/run.ts';
import type { DumpedPeer } from '../../wire/wireguard.ts';
import { address6In, addressIn } from '../addresses.ts';
import { type RelayPlaces, TUNNEL_INTERFACE } from '../places.ts';
import { faultOf, type Holding, type RelayGround } from '../state.ts';
import { ensureDoors } from './doors-life.ts';
import { namesOf, renderDoors } from './doors.ts';
import { ensureForwarding, restoreSettings } from './forwarding.ts';
import { RELAY_TABLE, renderRules } from './rules.ts';
import {
  ensureTunnel,
  type LastPlaces,
  removeTunnel,
  seenHomes,
  setHomes,
  type TunnelIdentity,
} from './tunnel.ts';

export interface ApplierOptions {
  readonly places: RelayPlaces;
  readonly identity: TunnelIdentity;
  readonly ground: RelayGround;
  /** Where visitors come in. */
  readonly addresses: readonly string[];
  /** What stands behind us for all other names: `host:port`. */
  readonly other: string | undefined;
  readonly environment: HelperEnvironment;
}

const NOBODY: LastPlaces = new Map();
const CALL_MS = 30_000;

/** Makes the machine what one complete state says; the same state again changes nothing. */
export class Applier {
  readonly #options: ApplierOptions;
  #last: readonly Holding[] | undefined;
  /** When homes were called where they were last. */
  #calledAt: number | undefined;
  /** What is in effect, as text; empty when it is not known: then everything is made sure of. */
  #done: { readonly peers?: string; readonly ways?: string } = {};

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /** Something was put into effect since the start. */
  get isBegun(): boolean {
    return this.#last !== undefined;
  }

  get ground(): RelayGround {
    return this.#options.ground;
  }

  async apply(holdings: readonly Holding[], signal: AbortSignal): Promise<void> {
    const { ground, environment } = this.#options;
    const fault = faultOf(holdings, ground);
    if (fault !== undefined) {
      throw new GatewayError(`the state of the relay cannot be: ${fault}`, {
        code: 'HelperRefused',
        retry: 'never',
      });
    }
    const { peers, ways } = this.#done;
    const next = {
      peers: JSON.stringify(holdings.map(({ publicKey, number }) => [publicKey, number])),
      ways: JSON.stringify(holdings.map(waysOf)),
    };
    this.#done = {};
    // First who may speak, then the ways to them: a home that is gone is cut off before anything else.
    if (next.peers !== peers) {
      const isNew = await ensureTunnel(ground, environment, signal);
      const called = isNew ? await readEndpoints(environment, TUNNEL_INTERFACE) : NOBODY;
      await setHomes(this.#options, holdings, called, signal);
      if (called.size > 0) this.#calledAt = Date.now();
    }
    if (next.ways !== ways) {
      await this.#load(holdings, signal);
      await this.#cut(holdings, signal);
    }
    await this.#open(holdings, signal);
    this.#last = holdings;
    this.#done = next;
  }

  /** What died meanwhile comes back. */
  async heal(signal: AbortSignal): Promise<void> {
    if (this.#last === undefined) return;
    const [seen, table, edge] = await Promise.all([
      seenHomes(signal),
      listTable(undefined, RELAY_TABLE, signal),
      findOneOfEdge(this.#options.environment),
    ]);
    if (seen !== undefined) await this.#remember(seen.peers, this.#last, signal);
    if (seen !== undefined && table !== undefined && edge !== undefined) return;
    this.#options.environment.log('warn', 'a part of the data path ended and is made anew', {
      tunnel: seen !== undefined,
      rules: table !== undefined,
      haproxy: edge !== undefined,
    });
    this.#done = {};
    await this.apply(this.#last, signal);
  }

  /** Where homes are, for a start of the tunnel; and those that were called at its last start are called no more. */
  async #remember(
    peers: readonly DumpedPeer[],
    holdings: readonly Holding[],
    signal: AbortSignal,
  ): Promise<void> {
    const now = Date.now();
    if (now - (this.#calledAt ?? now) > CALL_MS) {
      await setHomes(this.#options, holdings, NOBODY, signal);
      this.#calledAt = undefined;
    }
    const seen = peers.map((peer) => ({ ...peer, address: ipv4Of(peer) }));
    await saveEndpoints(this.#options.environment, TUNNEL_INTERFACE, seen, now / 1000);
  }

  async peers(signal: AbortSignal): Promise<readonly DumpedPeer[]> {
    return (await seenHomes(signal))?.peers ?? [];
  }

  async #load(holdings: readonly Holding[], signal: AbortSignal): Promise<void> {
    const { ground, places } = this.#options;
    const isAlone = await ensureForwarding(places, signal);
    const { hash, base, elements } = renderRules(ground, isAlone, holdings);
    const isLoaded = (await listTable(undefined, RELAY_TABLE, signal))?.includes(`"${hash}"`) === true;
    await loadRules(undefined, isLoaded ? elements : `${base}${elements}`, signal);
  }

  #open(holdings: readonly Holding[], signal: AbortSignal): Promise<void> {
    const { addresses, ground, other, environment } = this.#options;
    const controlSocket = environment.paths.edgeSocket;
    const config = renderDoors({ addresses, ground, other, controlSocket });
    return ensureDoors(config, namesOf(ground, holdings), environment, signal);
  }

  /** Connections to ports that a home had and has no more end now, not when they are done. */
  async #cut(holdings: readonly Holding[], signal: AbortSignal): Promise<void> {
    const now = new Set(holdings.flatMap(waysOf));
    const { ground } = this.#options;
    const homes = new Set(
      (this.#last ?? [])
        .filter((held) => waysOf(held).some((way) => !now.has(way)))
        .map(({ number }) => number),
    );
    for (const number of homes) {
      for (const address of [addressIn(ground, number), address6In(ground, number)]) {
        if (address === undefined) continue;
        // 1: there was none.
        await run(['conntrack', '-D', '-f', address.includes(':') ? 'ipv6' : 'ipv4', '-r', address], {
          signal,
          accept: [0, 1],
        });
      }
    }
  }
}

function waysOf({ number, publicKey, ports, devicesPort }: Holding): string[] {
  return [
    `${number} ${publicKey}`,
    ...ports.map(({ protocol, from, to }) => `${number} ${protocol} ${from} ${to}`),
    ...(devicesPort === null ? [] : [`${number} devices ${devicesPort}`]),
  ];
}

/** Everything of ours leaves the machine; keys and what homes hold stay. */
export async function takeAway(
  places: RelayPlaces,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await endEdge(environment, signal);
  if ((await listTable(undefined, RELAY_TABLE, signal)) !== undefined)
    await run(['nft', 'delete', 'table', 'inet', RELAY_TABLE], { signal });
  await removeTunnel(environment, signal);
  await restoreSettings(places, signal);
}
