import type { Context } from '../../src/core/contract.ts';
import type { Home } from '../../src/core/ports.ts';
import { attempt, type Target } from './prove.ts';

const AGAIN_MS = 15 * 60_000;
const WHILE_SHUT_MS = 2 * 60_000;

const nextLook = new WeakMap<Home, number>();

/**
 * Does a visit from outside come in by IPv6, at the port that devices dial? Asked for the public name alone: whoever finds an
 * IPv6 address there takes it first, and WireGuard tries no other. Routers let nothing in by IPv6 unless they are told to.
 */
export async function lookByIpv6(own: Target, port: number, context: Context): Promise<void> {
  const { home, names, now } = context.ports;
  const addresses = home.addresses().flatMap(({ family, address }) => (family === 6 ? [address] : []));
  if (addresses.length === 0 || now() < (nextLook.get(home) ?? 0)) return;
  if ((await names.kept()).length === 0) return;
  for (const address of new Set(addresses)) {
    const place = { endpoint: { type: 'ipv6', host: address, port }, addresses: [address] } as const;
    const verdict = await attempt(own, place, context);
    if (verdict === undefined) return;
    nextLook.set(home, now() + (verdict.reachable === 'yes' ? AGAIN_MS : WHILE_SHUT_MS));
    // The relay has no IPv6, or sees us come from another of our addresses.
    if (verdict.reachable !== 'unknown') home.cameIn(address, verdict.reachable === 'yes');
  }
}
