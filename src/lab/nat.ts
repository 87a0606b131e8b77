import type { Forward, Nat, NatBehaviour } from './topology.ts';

/**
 * nftables rules of a router. Which rule gives which behaviour was measured with a STUN server on two addresses
 * (RFC 5780): Linux's plain masquerade keeps the port and is endpoint-independent in mapping, address-and-port
 * dependent in filtering; `random` makes it symmetric; a map learned from outgoing packets opens the filter.
 */
const MASQUERADE: Readonly<Record<NatBehaviour, string>> = {
  'endpoint-independent': 'masquerade',
  symmetric: 'masquerade fully-random',
  'full-cone': 'masquerade',
  'address-restricted': 'masquerade',
  'port-block': 'meta l4proto { tcp, udp } masquerade to :20000-20999',
  'symmetric-port-block': 'meta l4proto { tcp, udp } masquerade to :20000-20999 random',
};

/** The whole ruleset; pure. A forward counts only for what arrives from outside: no hairpin. */
export function natRules(nat: Nat, forwards: readonly Forward[]): string {
  const outside = `"${nat.outside}"`;
  const { declared, dnat } = learned(nat);
  return [
    'table ip nat {',
    ...declared,
    '  chain prerouting {',
    '    type nat hook prerouting priority -100',
    ...forwards.map(
      ({ protocol, port, to }) => `    iifname ${outside} ${protocol} dport ${port} dnat to ${to}`,
    ),
    ...dnat,
    ...(nat.dmz === undefined ? [] : [`    iifname ${outside} dnat to ${nat.dmz}`]),
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority 100',
    `    oifname ${outside} ${nat.pool === undefined ? MASQUERADE[nat.behaviour] : `snat to ${nat.pool}`}`,
    '  }',
    '}',
    firewallRules(nat.outside),
  ].join('\n');
}

/** Lets in what somebody went out for, and what is forwarded; pure. */
export function firewallRules(network: string): string {
  const outside = `"${network}"`;
  return [
    'table ip filter {',
    '  chain forward {',
    '    type filter hook forward priority 0; policy drop',
    '    ct state established,related accept',
    `    iifname != ${outside} accept`,
    '    ct status dnat accept',
    '  }',
    '  chain input {',
    '    type filter hook input priority 0; policy accept',
    '    ct state established,related accept',
    `    iifname ${outside} ip protocol icmp accept`,
    `    iifname ${outside} drop`,
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Maps that open the filter for whoever was spoken to (or for everybody), as cheap routers do. */
function learned({ behaviour, outside }: Nat): { declared: string[]; dnat: string[] } {
  if (behaviour !== 'full-cone' && behaviour !== 'address-restricted') return { declared: [], dnat: [] };
  const isRestricted = behaviour === 'address-restricted';
  const key = isRestricted ? 'ipv4_addr . inet_service' : 'inet_service';
  const sent = isRestricted ? 'ip daddr . udp sport' : 'udp sport';
  const received = isRestricted ? 'ip saddr . udp dport' : 'udp dport';
  return {
    declared: [
      `  map learned { type ${key} : ipv4_addr . inet_service; flags timeout; timeout 60s; }`,
      '  chain learn {',
      '    type filter hook forward priority -10',
      `    oifname "${outside}" meta l4proto udp update @learned { ${sent} : ip saddr . udp sport }`,
      '  }',
    ],
    dnat: [`    iifname "${outside}" meta l4proto udp dnat ip to ${received} map @learned`],
  };
}
