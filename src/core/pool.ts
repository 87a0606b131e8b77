import { formatIpv4, parseCidr } from './inet.ts';

/**
 * The first of 10.64.0.0/20, 10.65.0.0/20 … 10.127.0.0/20 that overlaps no route of the host. Chosen once; the ledger
 * keeps it, because every handed-out address lies in it. `undefined` when all 64 are taken.
 */
export function choosePool(hostRoutes: readonly string[]): string | undefined {
  const taken = hostRoutes.flatMap((route) => {
    const block = parseCidr(route.includes('/') ? route : `${route}/32`);
    return block === undefined || block.bits < 8 ? [] : [block];
  });
  for (let second = 64; second < 128; second += 1) {
    const candidate = parseCidr(`10.${second}.0.0/20`);
    if (candidate === undefined) continue;
    const isFree = taken.every((block) => block.last < candidate.first || block.first > candidate.last);
    if (isFree) return `${formatIpv4(candidate.first)}/20`;
  }
  return undefined;
}
