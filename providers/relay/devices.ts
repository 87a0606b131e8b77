import type { CompileInput } from '../../src/core/contract.ts';
import { isClashing } from './read.ts';

/** Devices' WireGuard by one relay. */
export interface DevicesAsked {
  readonly relay: string;
  /** UDP port of this machine. */
  readonly port: number;
  readonly services: readonly string[];
}

type Input = Pick<CompileInput, 'wants' | 'relays' | 'ledger' | 'network'>;

/**
 * By one relay alone: a code has room for one address. It stands in codes that phones have scanned, so the relay that was
 * taken is kept for as long as it can carry.
 */
export function devicesBy({ wants, relays = [], ledger, network }: Input): DevicesAsked | undefined {
  const mine = wants.filter((want) => want.part === 'relay');
  const able = relays
    .filter((relay) => relay.tunnel !== undefined && !isClashing(relay, network.pool))
    .map(({ name }) => name)
    .sort();
  const relay = able.find((name) => name === ledger['devices']) ?? able[0];
  const [first] = mine;
  if (relay === undefined || first === undefined) return undefined;
  const services = [...new Set(mine.map(({ service }) => service))].sort();
  return { relay, port: first.port, services };
}
