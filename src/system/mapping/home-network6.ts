import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../core/errors.ts';
import { formatIpv6 } from '../../core/inet6.ts';
import { isPinholeClient } from '../../wire/igd-mapping.ts';
import type { HomeNetwork } from './home-network.ts';

/**
 * The router for IPv6, and the address of this machine that visitors dial. Sends nothing and starts nothing. `undefined`
 * without a router, or with private addresses alone.
 */
export async function findHomeNetwork6(): Promise<HomeNetwork | undefined> {
  const via = defaultRouter6(await readProc('/proc/net/ipv6_route'));
  if (via === undefined) return undefined;
  const address = lastingAddress(await readProc('/proc/net/if_inet6'), via.interface);
  return address === undefined ? undefined : { router: via.router, address };
}

async function readProc(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // A kernel without IPv6.
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

const UP_AND_GATEWAY = 3;
const NOTHING = '0'.repeat(32);

/** The default route with the lowest metric; a link-local router with its interface: `fe80::1%eth0`. */
export function defaultRouter6(
  table: string,
): { readonly router: string; readonly interface: string } | undefined {
  const routes = table.split('\n').flatMap((line) => {
    const [destination, bits, , , gateway = '', metric = '', , , flags = '', name = ''] = line
      .trim()
      .split(/\s+/);
    const isDefault = destination === NOTHING && bits === '00' && gateway !== NOTHING;
    if (!isDefault || (parseInt(flags, 16) & UP_AND_GATEWAY) !== UP_AND_GATEWAY) return [];
    return [{ gateway, metric: parseInt(metric, 16), name }];
  });
  const best = routes.sort((a, b) => a.metric - b.metric)[0];
  if (best === undefined) return undefined;
  const router = addressOf(best.gateway);
  return { router: router.startsWith('fe80:') ? `${router}%${best.name}` : router, interface: best.name };
}

/** IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_DEPRECATED and IFA_F_TENTATIVE (linux/if_addr.h): not for visitors. */
const NOT_LASTING = 0x01 | 0x08 | 0x20 | 0x40;
const PERMANENT = 0x80;
const GLOBAL_SCOPE = '00';

/** A public address that stays: one that was given before one that the machine made, and never one for privacy (RFC 8981). */
export function lastingAddress(table: string, on: string): string | undefined {
  const addresses = table.split('\n').flatMap((line) => {
    const [digits = '', , , scope, flagged = '', name] = line.trim().split(/\s+/);
    const flags = parseInt(flagged, 16);
    if (name !== on || scope !== GLOBAL_SCOPE || (flags & NOT_LASTING) !== 0) return [];
    const address = addressOf(digits);
    return isPinholeClient(address) ? [{ address, isGiven: (flags & PERMANENT) !== 0 }] : [];
  });
  const sorted = addresses.sort(
    (a, b) => Number(b.isGiven) - Number(a.isGiven) || (a.address < b.address ? -1 : 1),
  );
  return sorted[0]?.address;
}

function addressOf(digits: string): string {
  return formatIpv6(BigInt(`0x${digits}`));
}
