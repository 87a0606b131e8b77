import { NOT_PUBLIC } from '../core/inet.ts';
import type { Flow, NamespaceSpec } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { twinOf } from '../core/ula.ts';
import { serviceLink, TABLE } from './names.ts';
import { TUNNEL_MARKS } from './tunnel-rules.ts';

/** Where devices come to the edge, in the hub (door.ts). */
export const DOOR_PORT = 7080;
/** Packets that may be forwarded carry this mark; without it the hub has no route for them. */
export const PERMITTED_MARK = 1;
/** What services send out of themselves; the mark chooses the way and stays with the connection. */
export const EGRESS_MARKS = { direct: 2, tor: 3 } as const;
/** Routing tables of the hub, one a way out. */
export const EGRESS_TABLES = { direct: 202, tor: 203 } as const;

/**
 * Name server of services that leave through tor. A documentation address (RFC 5737), which is nobody's: when the redirect
 * is gone, the query leads nowhere, and not to a resolver that listens on all addresses of this machine.
 */
export const TOR_NAME_SERVER = '192.0.2.53';
/** Addresses that tor gives to onion names: for benchmarks (RFC 2544), so neither the internet's nor a LAN's. */
export const TOR_VIRTUAL_BLOCK = '198.18.0.0/15';

/** Sets of the hub that hold who leaves. Which tor it is through is not the hub's matter. */
export const LEAVING_SETS = { direct: 'leavingDirectly', tor: 'leavingByTor' } as const;

/**
 * Headers of UDP and DNS. A name query that ends before its own header makes tor end: libevent 2.1.12 follows a null pointer
 * then (evdns.c, request_parse), and one service could take every onion away.
 */
const SHORTEST_QUERY = 8 + 12;

/** What nobody reaches by leaving: this machine, LANs, services, metadata of clouds. */
const CLOSED = {
  direct: NOT_PUBLIC.join(', '),
  tor: NOT_PUBLIC.filter((block) => block !== TOR_VIRTUAL_BLOCK && block !== '192.0.2.0/24').join(', '),
};

function leavingRule(by: 'tor' | 'direct', match: string): string {
  const mark = EGRESS_MARKS[by];
  const closed = `ip daddr != { ${CLOSED[by]} } ip daddr != @own`;
  const who = `iifname . ip saddr @${LEAVING_SETS[by]}`;
  return `add rule inet ${TABLE} permit ct state new ${match} ${who} ${closed} ct mark set ${mark} meta mark set ${mark}`;
}

/** As `listTable` tells them; anything else means that somebody changed the table. */
export function hubChains({ ula }: Network): readonly string[] {
  const [enter, permit] = ula === undefined ? [1, 8] : [2, 10];
  return [`enter accept ${enter}`, 'forward drop 2', 'input drop 3', `permit accept ${permit}`];
}

/** IPv6 has no `rp_filter`: without the first rule a neighbour could speak in another's open connection. */
const HUB_RULES_6 = {
  sets: `add set inet ${TABLE} allowed6 { type ifname . ipv6_addr . ipv6_addr . inet_proto . inet_service; }
add map inet ${TABLE} doors6 { type ipv6_addr . inet_service : ipv6_addr . inet_service; }`,
  enter: 'dnat ip6 to ip6 daddr . tcp dport map @doors6',
  source: `add rule inet ${TABLE} permit meta nfproto ipv6 fib saddr . iif oif 0 drop`,
  allowed: `add rule inet ${TABLE} permit ct state new iifname . ip6 saddr . ip6 daddr . meta l4proto . th dport @allowed6 meta mark set ${PERMITTED_MARK}`,
};
const NO_RULES_6 = { sets: '', source: '', allowed: '', enter: '' };

/**
 * Deny by default, twice: `permit` marks what is allowed, `forward` drops what has no mark, and so does the routing
 * policy (`HUB_ROUTING`), so that a flushed table closes the hub instead of opening it.
 * Loading it again keeps the sets. Services leave over IPv4 alone, so the marks for that are IPv4's.
 */
export function hubRules({ ula, prefix }: Network): string {
  const six = ula === undefined ? NO_RULES_6 : HUB_RULES_6;
  // Only whom `permit` lets through, and only devices: what comes from the host is the edge itself.
  const enter = `add rule inet ${TABLE} enter iifname "${prefix}wg*" meta mark ${PERMITTED_MARK}`;
  return `
add table inet ${TABLE}
add set inet ${TABLE} allowed { type ifname . ipv4_addr . ipv4_addr . inet_proto . inet_service; }
${six.sets}
add set inet ${TABLE} hosts { type ipv4_addr; }
add set inet ${TABLE} leavingByTor { type ifname . ipv4_addr; }
add set inet ${TABLE} leavingDirectly { type ifname . ipv4_addr; }
add set inet ${TABLE} own { type ipv4_addr; }
add map inet ${TABLE} doors { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
add chain inet ${TABLE} permit { type filter hook prerouting priority mangle; policy accept; }
add chain inet ${TABLE} enter { type nat hook prerouting priority dstnat; policy accept; }
add chain inet ${TABLE} forward { type filter hook forward priority filter; policy drop; }
add chain inet ${TABLE} input { type filter hook input priority filter; policy drop; }
flush chain inet ${TABLE} permit
flush chain inet ${TABLE} enter
flush chain inet ${TABLE} forward
flush chain inet ${TABLE} input
add rule inet ${TABLE} permit meta mark set 0
${six.source}
add rule inet ${TABLE} permit iifname . ip saddr @${LEAVING_SETS.tor} udp dport 53 udp length < ${SHORTEST_QUERY} drop
add rule inet ${TABLE} permit ct state established,related ct mark 0 meta mark set ${PERMITTED_MARK} accept
add rule inet ${TABLE} permit ct state established,related meta mark set ct mark accept
add rule inet ${TABLE} permit ct state new iifname . ip saddr . ip daddr . meta l4proto . th dport @allowed meta mark set ${PERMITTED_MARK}
${six.allowed}
${leavingRule('tor', 'meta l4proto tcp')}
${leavingRule('tor', 'udp dport 53')}
${leavingRule('direct', 'meta l4proto { tcp, udp }')}
${enter} dnat ip to ip daddr . tcp dport map @doors
${six.enter === '' ? '' : `${enter} ${six.enter}`}
add rule inet ${TABLE} forward meta mark ${PERMITTED_MARK} accept
add rule inet ${TABLE} forward meta mark { ${EGRESS_MARKS.direct}, ${EGRESS_MARKS.tor}, ${TUNNEL_MARKS} } accept
add rule inet ${TABLE} input iifname "lo" accept
add rule inet ${TABLE} input ct state established,related accept
add rule inet ${TABLE} input iifname "${prefix}wg*" ct status dnat tcp dport ${DOOR_PORT} accept
`;
}

/**
 * Routing policy of the hub, after the kernel's own rule 0 (local addresses): marked packets and what the hub itself
 * sends use the main table, everything else is dropped; who sent it is told so (ICMP, 13: administratively prohibited),
 * because a person whose device was not given a service should not wait for a timeout.
 */
export const HUB_ROUTING: readonly string[] = [
  'priority 300 prohibit',
  'priority 200 iif lo lookup main',
  `priority 113 fwmark ${EGRESS_MARKS.tor} lookup ${EGRESS_TABLES.tor}`,
  `priority 112 fwmark ${EGRESS_MARKS.direct} lookup ${EGRESS_TABLES.direct}`,
  `priority 103 fwmark ${EGRESS_MARKS.tor} lookup main`,
  `priority 102 fwmark ${EGRESS_MARKS.direct} lookup main`,
  `priority 100 fwmark ${PERMITTED_MARK} lookup main`,
];

/** The same for IPv6, over which nobody leaves. */
export const HUB_ROUTING_6: readonly string[] = HUB_ROUTING.filter((rule) =>
  /^priority (100|200|300) /.test(rule),
);

export const HUB_SYSCTLS: Readonly<Record<string, number>> = {
  'net.ipv4.conf.all.rp_filter': 1,
  'net.ipv4.conf.default.rp_filter': 1,
  // The reverse path check must follow the same routing policy as the packet.
  'net.ipv4.conf.all.src_valid_mark': 1,
  'net.ipv4.conf.all.accept_redirects': 0,
  'net.ipv4.conf.default.accept_redirects': 0,
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.conf.default.send_redirects': 0,
};

/**
 * IPv6 in a namespace of ours. No interface has an address but those that we give it: none of the link, none that a router
 * announces. Both ends of each link know each other (addressing.ts), so nobody is asked and nobody is believed.
 */
export function ipv6Sysctls({ ula }: Network): Readonly<Record<string, number>> {
  const off = ula === undefined ? 1 : 0;
  const both = (key: string, value: number): (readonly [string, number])[] =>
    ['all', 'default'].map((which) => [`net.ipv6.conf.${which}.${key}`, value]);
  // In this order: what has a setting from before must not use it when IPv6 is switched on.
  return Object.fromEntries([
    ...both('addr_gen_mode', 1),
    ...both('accept_ra', 0),
    ...both('autoconf', 0),
    ...both('accept_redirects', 0),
    ...both('disable_ipv6', off),
  ]);
}

/** A fresh namespace inherits the host's settings, so each is said. */
export const SERVICE_SYSCTLS: Readonly<Record<string, number>> = {
  'net.ipv4.ip_forward': 0,
  'net.ipv4.conf.all.accept_redirects': 0,
  'net.ipv4.conf.default.accept_redirects': 0,
  'net.ipv6.conf.all.forwarding': 0,
  // Programs run as unprivileged users; port 80 is theirs, because nobody else lives here.
  'net.ipv4.ip_unprivileged_port_start': 0,
};

/** The second, static wall, inside each namespace that we make. Replaced in one transaction. */
export function serviceRules(spec: NamespaceSpec, network: Network): string {
  const letIn = (address: string): string => `${daddr(address)} tcp dport ${spec.port} accept`;
  const twin = twinOf(network, spec.address);
  return `
add table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    ${letIn(spec.address)}
${twin === undefined ? '' : `    ${letIn(twin)}\n`}  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
  chain output {
    type filter hook output priority filter; policy drop;
    oifname "lo" accept
    ct state established,related accept
${toUpstreams(spec, network)}${leavingByItself(spec)}  }
}
`;
}

function daddr(address: string): string {
  return `${address.includes(':') ? 'ip6' : 'ip'} daddr ${address}`;
}

function toUpstreams({ upstreams = [] }: NamespaceSpec, network: Network): string {
  return upstreams
    .flatMap(({ address, port }) =>
      [address, twinOf(network, address) ?? []]
        .flat()
        .map((each) => `${daddr(each)} tcp dport ${port} accept`),
    )
    .map((rule) => `    ${rule}\n`)
    .join('');
}

/** The same as the hub lets out. */
function leavingByItself({ egress }: NamespaceSpec): string {
  if (egress === undefined) return '';
  const matches = { direct: ['meta l4proto { tcp, udp }'], tor: ['meta l4proto tcp', 'udp dport 53'] };
  return matches[egress].map((match) => `    ip daddr != { ${CLOSED[egress]} } ${match} accept\n`).join('');
}

/** The hub's end of what a flow comes over. */
export function interfaceOf(via: string): string {
  return via.startsWith('service/') ? serviceLink(via.slice('service/'.length)) : via;
}

/** The host itself speaks IPv4 with services. */
export function twinsOf(flows: readonly Flow[], network: Network): Flow[] {
  return flows.flatMap((flow) => {
    const [source, address] = [twinOf(network, flow.source), twinOf(network, flow.address)];
    const isInside = flow.via !== 'host' && source !== undefined && address !== undefined;
    return isInside ? [{ ...flow, source, address }] : [];
  });
}
