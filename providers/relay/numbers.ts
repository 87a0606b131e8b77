import type { Ledger } from '../../src/core/contract.ts';
import { MOST_TUNNELS } from '../../src/core/tunnel-operations.ts';

/** A number for each relay. Who holds one keeps it; the others get the lowest free ones, in the order of their names. */
export function numbersFor(relays: readonly string[], ledger: Ledger): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  const sorted = [...relays].sort();
  for (const name of sorted) {
    const held = ledger[`tunnel/${name}`];
    const isFree = typeof held === 'number' && held < MOST_TUNNELS && ![...numbers.values()].includes(held);
    if (isFree) numbers.set(name, held);
  }
  for (const name of sorted.filter((each) => !numbers.has(each))) {
    const taken = new Set(numbers.values());
    const free = Array.from({ length: MOST_TUNNELS }, (_, number) => number).find((each) => !taken.has(each));
    if (free !== undefined) numbers.set(name, free);
  }
  return numbers;
}
