import type { KeptCarry } from '../../src/core/carrier.ts';
import type { Home } from '../../src/core/ports.ts';
import type { Tri } from '../../src/core/contract.ts';
import type { Dial } from './endpoint.ts';

/** By a relay, whose UDP port leads through its tunnel to the interface. */
export interface Relayed {
  readonly relay: string;
  readonly endpoint: string;
  /** Largest packet of a device that fits into the relay's tunnel whole. */
  readonly mtu: number;
}

/** Headers of IPv6, UDP and WireGuard around each packet of a device; over IPv4 it is 20 bytes less. */
const AROUND = 80;
/** The least that IPv6 can do with (RFC 8200 5). */
const LEAST_MTU = 1280;

export function relayedBy(kept: readonly KeptCarry[]): Relayed | undefined {
  const found = kept.find(({ asked, devices }) => asked.devices && devices !== undefined);
  if (found?.devices === undefined) return undefined;
  const { endpoint, tunnelMtu } = found.devices;
  return { relay: found.relay, endpoint, mtu: Math.max(LEAST_MTU, tunnelMtu - AROUND) };
}

/** What new codes say: the home's own way, or the relay's. */
export type Told = Dial & { readonly relayed?: Relayed };

/**
 * Which of two ways devices are told.
 *
 *   in the config | the own endpoint        | a relay carries devices | devices dial
 *   --------------+-------------------------+-------------------------+---------------------------
 *   host:port     | –                       | either                  | what the config says
 *   nothing       | either                  | no                      | the own endpoint, if known
 *   nothing       | not known               | yes                     | the relay
 *   nothing       | known; a visit said no  | yes                     | the relay
 *   nothing       | known; proved, or       | yes                     | the own endpoint
 *                 | nobody could look yet   |                         |
 */
export function chooseWay(
  own: Dial,
  { isConfigured, relayed, verdict }: { isConfigured: boolean; relayed: Relayed | undefined; verdict: Tri },
): Told {
  if (isConfigured || relayed === undefined) return own;
  return own.endpoint === undefined || verdict === 'no' ? { endpoint: relayed.endpoint, relayed } : own;
}

/** What the last visit to the home's own endpoint said; another endpoint was not visited yet. */
const verdicts = new WeakMap<Home, { readonly endpoint: string; readonly reachable: Tri }>();

/** A visit that could not be made says nothing against the one before. */
export function noteOwnWay(home: Home, endpoint: string, reachable: Tri): void {
  if (reachable !== 'unknown') verdicts.set(home, { endpoint, reachable });
}

export function verdictOn(home: Home, endpoint: string | undefined): Tri {
  const last = verdicts.get(home);
  return last !== undefined && last.endpoint === endpoint ? last.reachable : 'unknown';
}
