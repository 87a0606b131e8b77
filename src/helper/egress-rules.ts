import type { EgressSpec } from '../core/egress.ts';
import type { Network } from '../core/service.ts';
import { egressLink, hostLink, hostTable, serviceLink, TABLE } from './names.ts';
import { LEAVING_SETS } from './rules.ts';
import { DNS_PORT, TRANS_PORT } from './torrc.ts';

/** Of connections that leave directly, in the host's namespace: routes their answers back into the hub. */
export const DIRECT_MARK = 0x6777;

/** As `readTable` tells them; anything else means that somebody changed the table. */
export const HOST_CHAINS: readonly string[] = [
  'answers accept 2',
  'guard accept 1',
  'outward accept 1',
  'toTor accept 2',
  'transit accept 1',
];

/**
 * Our table in the host's namespace, replaced in one transaction. It opens nothing that would be open without it: what
 * arrives on the link to the hub and is not redirected is for nobody, because nothing is forwarded from there; and what
 * leaves directly has no way back without its mark. The hub has dropped everything that is not for the internet.
 */
export function hostRules(network: Network, { services }: EgressSpec): string {
  const [link, out, name] = [hostLink(network), egressLink(network), hostTable(network)];
  const setOf = (by: 'tor' | 'direct'): string => {
    const addresses = services.filter((each) => each.by === by).map(({ address }) => address);
    const elements = addresses.length === 0 ? '' : ` elements = { ${addresses.join(', ')} }`;
    return `set ${LEAVING_SETS[by]} { type ipv4_addr;${elements} }`;
  };
  return `
add table inet ${name}
delete table inet ${name}
table inet ${name} {
  ${setOf('tor')}
  ${setOf('direct')}
  chain answers {
    type filter hook prerouting priority mangle; policy accept;
    iifname "${out}" ct state new ip saddr @${LEAVING_SETS.direct} fib daddr type != local ct mark set ${DIRECT_MARK}
    ct mark ${DIRECT_MARK} meta mark set ${DIRECT_MARK}
  }
  chain toTor {
    type nat hook prerouting priority dstnat - 10; policy accept;
    iifname "${link}" ip saddr @${LEAVING_SETS.tor} meta l4proto tcp dnat ip to ${network.tor}:${TRANS_PORT}
    iifname "${link}" ip saddr @${LEAVING_SETS.tor} udp dport 53 dnat ip to ${network.tor}:${DNS_PORT}
  }
  chain guard {
    type filter hook input priority filter - 10; policy accept;
    iifname != { "lo", "${link}" } ip daddr ${network.tor} drop
  }
  chain transit {
    type filter hook forward priority filter - 10; policy accept;
    iifname "${link}" drop
  }
  chain outward {
    type nat hook postrouting priority srcnat - 10; policy accept;
    meta mark ${DIRECT_MARK} oifname != "${out}" masquerade
  }
}
`;
}

/** Loaded into the hub last: only then anything leaves. `own`: public addresses of this machine. */
export function leavingRules({ services }: EgressSpec, own: readonly string[]): string {
  const lines = Object.values(LEAVING_SETS).map((set) => `flush set inet ${TABLE} ${set}`);
  for (const { service, address, by } of services) {
    const element = `"${serviceLink(service)}" . ${address} comment "${service}"`;
    lines.push(`add element inet ${TABLE} ${LEAVING_SETS[by]} { ${element} }`);
  }
  lines.push(`flush set inet ${TABLE} own`);
  if (own.length > 0) lines.push(`add element inet ${TABLE} own { ${own.join(', ')} }`);
  return `${lines.join('\n')}\n`;
}
