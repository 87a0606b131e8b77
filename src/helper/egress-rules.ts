import type { EgressSpec, WayOut } from '../core/egress.ts';
import type { Network } from '../core/service.ts';
import type { AnonymousInstance } from '../core/tor-instance.ts';
import { egressLink, hostLink, hostTable, serviceLink, TABLE } from './names.ts';
import { LEAVING_SETS } from './rules.ts';
import { WAY_OUT_PORTS } from './torrc.ts';

/** Of connections that leave directly, in the host's namespace: routes their answers back into the hub. */
export const DIRECT_MARK = 0x6777;

/** As `readTable` tells them; anything else means that somebody changed the table. */
export const HOST_CHAINS: readonly string[] = [
  'answers accept 2',
  'asking accept 2',
  'guard accept 1',
  'outward accept 1',
  'passed accept 2',
  'toTor accept 4',
  'transit accept 3',
  'welcomed accept 1',
];

/** Of services whose last attempt to leave, or the answer to it, came in here and did not get past the other firewalls. */
export const HELD_SET = 'held';
const HELD_FOR = '5m';

/** Those of the services that leave by tor whose tor is the one for privacy tor-only. */
const TOR_ONLY_SET = 'leavingByTorOnly';

/** What the table in the host's namespace knows of who leaves: set by set, addresses. */
export function hostSets(
  services: readonly EgressSpec['services'][number][],
): Readonly<Record<string, readonly string[]>> {
  const addressesOf = (...ways: readonly WayOut[]): string[] =>
    services.filter(({ by }) => ways.includes(by)).map(({ address }) => address);
  return {
    [LEAVING_SETS.tor]: addressesOf('tor', 'tor-only'),
    [TOR_ONLY_SET]: addressesOf('tor-only'),
    [LEAVING_SETS.direct]: addressesOf('direct'),
  };
}

/** How the hub's element of a service says which way it leaves, beside its name, which has no slash. */
const TOR_ONLY_NOTE = 'tor-only/';

/** What an element of the hub's sets says: its set, and the note beside it. */
export function wayOutFrom(set: 'tor' | 'direct', note: string): { service: string; by: WayOut } {
  if (set === 'tor' && note.startsWith(TOR_ONLY_NOTE))
    return { service: note.slice(TOR_ONLY_NOTE.length), by: 'tor-only' };
  return { service: note, by: set };
}

/**
 * Our table in the host's namespace, replaced in one transaction. It opens nothing that would be open without it: what
 * arrives on the link to the hub and is not redirected is for nobody, because nothing is forwarded from there; and what
 * leaves directly has no way back without its mark. The hub has dropped everything that is not for the internet.
 * `asking`, `passed` and `welcomed` only look: who begins a connection is noted before the filters of other firewalls, and
 * struck out behind them.
 */
export function hostRules(network: Network, { services }: EgressSpec): string {
  const [link, out, name] = [hostLink(network), egressLink(network), hostTable(network)];
  const sets = Object.entries(hostSets(services)).map(([set, addresses]) => {
    const elements = addresses.length === 0 ? '' : ` elements = { ${addresses.join(', ')} }`;
    return `set ${set} { type ipv4_addr;${elements} }`;
  });
  const redirect = (set: string, instance: AnonymousInstance): string => {
    const { trans, dns } = WAY_OUT_PORTS[instance];
    return `iifname "${link}" ip saddr @${set} meta l4proto tcp dnat ip to ${network.tor}:${trans}
    iifname "${link}" ip saddr @${set} udp dport 53 dnat ip to ${network.tor}:${dns}`;
  };
  return `
add table inet ${name}
delete table inet ${name}
table inet ${name} {
  ${sets.join('\n  ')}
  set ${HELD_SET} { type ipv4_addr; flags dynamic,timeout; timeout ${HELD_FOR}; size 65535; }
  chain asking {
    type filter hook prerouting priority mangle; policy accept;
    iifname "${link}" ct state new ip saddr @${LEAVING_SETS.tor} meta l4proto tcp update @${HELD_SET} { ip saddr }
    iifname "${link}" ct state new ip saddr @${LEAVING_SETS.tor} udp dport 53 update @${HELD_SET} { ip saddr }
  }
  chain welcomed {
    type filter hook input priority filter + 10; policy accept;
    iifname "${link}" ct state new delete @${HELD_SET} { ip saddr }
  }
  chain passed {
    type filter hook postrouting priority filter; policy accept;
    meta mark ${DIRECT_MARK} oifname != "${out}" ct state new delete @${HELD_SET} { ip saddr }
    oifname "${out}" tcp flags & (syn | ack) == syn | ack delete @${HELD_SET} { ip daddr }
  }
  chain answers {
    type filter hook prerouting priority mangle; policy accept;
    iifname "${out}" ct state new ip saddr @${LEAVING_SETS.direct} fib daddr type != local ct mark set ${DIRECT_MARK}
    ct mark ${DIRECT_MARK} meta mark set ${DIRECT_MARK}
  }
  chain toTor {
    type nat hook prerouting priority dstnat - 10; policy accept;
    ${redirect(TOR_ONLY_SET, 'tor-only')}
    ${redirect(LEAVING_SETS.tor, 'tor')}
  }
  chain guard {
    type filter hook input priority filter - 10; policy accept;
    iifname != { "lo", "${link}" } ip daddr ${network.tor} drop
  }
  chain transit {
    type filter hook forward priority filter - 10; policy accept;
    iifname "${link}" drop
    iifname "${out}" ct state new ip saddr @${LEAVING_SETS.direct} update @${HELD_SET} { ip saddr }
    oifname "${out}" ip daddr @${LEAVING_SETS.direct} tcp flags & (syn | ack) == syn | ack update @${HELD_SET} { ip daddr }
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
    const note = by === 'tor-only' ? `${TOR_ONLY_NOTE}${service}` : service;
    const element = `"${serviceLink(service)}" . ${address} comment "${note}"`;
    const set = LEAVING_SETS[by === 'direct' ? 'direct' : 'tor'];
    lines.push(`add element inet ${TABLE} ${set} { ${element} }`);
  }
  lines.push(`flush set inet ${TABLE} own`);
  if (own.length > 0) lines.push(`add element inet ${TABLE} own { ${own.join(', ')} }`);
  return `${lines.join('\n')}\n`;
}
