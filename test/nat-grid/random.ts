import type { MappingProtocol } from '../../src/core/mapping.ts';
import type { NatBehaviour } from '../../src/lab/topology.ts';
import type { Chain, ChainRouter } from '../support/nat-chains.ts';
import type { Row } from './rows.ts';

/** The same numbers for the same seed (mulberry32). */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const KINDS = ['nat', 'nat', 'nat', 'plain', 'firewall'] as const;
const TIMERS = [undefined, undefined, undefined, 10, 20, 60, 150] as const;
const SPEAKS: readonly (readonly MappingProtocol[])[] = [
  [],
  [],
  ['upnp'],
  ['nat-pmp'],
  ['pcp'],
  ['pcp', 'nat-pmp', 'upnp'],
];
const BEHAVIOURS: readonly NatBehaviour[] = [
  'endpoint-independent',
  'endpoint-independent',
  'symmetric',
  'full-cone',
  'address-restricted',
  'port-block',
];
const INSIDE = ['home', 'home', 'carrier', 'private', 'squat'] as const;

/** Chains of up to six routers, all different from run to run, and the same for the same seed. */
export function randomRows(count: number, seed: number): Row[] {
  const next = dice(seed);
  const one = <Value>(of: readonly Value[]): Value => of[Math.floor(next() * of.length)] as Value;
  const router = (index: number): ChainRouter => {
    const kind = one(KINDS);
    const timer = one(TIMERS);
    const inside = index === 0 ? 'home' : one(INSIDE);
    const spoken = one(SPEAKS);
    const nat: Omit<ChainRouter, 'kind'> = {
      // miniupnpd does not listen on an address that looks like a public one.
      speaks: inside === 'squat' ? [] : spoken,
      answersAll: one([false, false, true]) && spoken.length === 0,
      behaviour: one(BEHAVIOURS),
      inside,
      ...(one([false, false, true]) ? { tells: '11.99.9.9' } : {}),
      ...(index > 0 && one([false, false, false, true])
        ? { hasPool: true, speaks: [], behaviour: BEHAVIOURS[0] }
        : {}),
    };
    return { kind, ...(timer === undefined ? {} : { timer }), ...(kind === 'nat' ? nat : {}) };
  };
  return Array.from({ length: count }, (_, number) => {
    const chain: Chain = Array.from({ length: Math.floor(next() * 7) }, (_unused, index) => router(index));
    return { name: `random ${seed}.${number}`, chain };
  });
}
