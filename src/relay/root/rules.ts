import { createHash } from 'node:crypto';
import { TUNNEL_INTERFACE } from '../places.ts';
import { address6In, addressIn } from '../addresses.ts';
import type { Holding, RelayGround } from '../state.ts';

export const RELAY_TABLE = 'gateway-relay';

/** New connections to ports at once, for each home; the rest of the machine's table is for the others. */
const FLOWS_PER_HOME = 8000;

/**
 * Visitors of ports keep their address, and reach the home that holds the port; homes reach nobody. `isAlone`: nothing
 * was forwarded on this machine before, so nothing but ours is.
 *
 *   from a visitor | to a port that a home holds | to its address in the tunnel
 *   from a visitor | UDP 443                     | to the tunnel itself, for homes whose networks let nothing else out
 *   from a home    | answers to visitors         | passed
 *   from a home    | anything else               | dropped: to other homes, to this machine, to the world
 */
function baseRules({ wireguardPort }: RelayGround, isAlone: boolean, hash: string): string {
  const tunnel = `"${TUNNEL_INTERFACE}"`;
  return `table inet ${RELAY_TABLE}
delete table inet ${RELAY_TABLE}
table inet ${RELAY_TABLE} {
  chain loaded { comment "${hash}"; }
  map ports4 { typeof meta l4proto . th dport : ip daddr; flags interval; }
  map ports6 { typeof meta l4proto . th dport : ip6 daddr; flags interval; }
  map devices4 { typeof udp dport : ip daddr; }
  map devices6 { typeof udp dport : ip6 daddr; }
  set busy4 { typeof ip daddr; flags dynamic; size 65535; }
  set busy6 { typeof ip6 daddr; flags dynamic; size 65535; }
  chain arriving {
    type nat hook prerouting priority dstnat; policy accept;
    iifname ${tunnel} return
    fib daddr type != local return
    meta nfproto ipv4 dnat ip to udp dport map @devices4:51820
    meta nfproto ipv6 dnat ip6 to udp dport map @devices6:51820
    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @ports4
    meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @ports6
    udp dport 443 redirect to :${wireguardPort}
  }
  chain passing {
    type filter hook forward priority filter; policy ${isAlone ? 'drop' : 'accept'};
    iifname ${tunnel} oifname ${tunnel} drop
    oifname ${tunnel} ct state new add @busy4 { ip daddr ct count over ${FLOWS_PER_HOME} } drop
    oifname ${tunnel} ct state new add @busy6 { ip6 daddr ct count over ${FLOWS_PER_HOME} } drop
    iifname ${tunnel} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    oifname ${tunnel} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    oifname ${tunnel} ct status dnat accept
    iifname ${tunnel} ct state established,related accept
    iifname ${tunnel} drop
    oifname ${tunnel} drop
  }
  chain entering {
    type filter hook input priority filter; policy accept;
    iifname ${tunnel} ct state established,related accept
    iifname ${tunnel} meta l4proto { icmp, ipv6-icmp } limit rate 50/second accept
    iifname ${tunnel} drop
  }
}
`;
}

export interface RelayRules {
  /** What is in the kernel is this when it has this hash. */
  readonly hash: string;
  /** The whole table, without elements. */
  readonly base: string;
  /** Replaces the elements, in one transaction with or without `base`. */
  readonly elements: string;
}

/** Pure: the same state, the same text. */
export function renderRules(ground: RelayGround, isAlone: boolean, holdings: readonly Holding[]): RelayRules {
  const hash = createHash('sha256')
    .update(baseRules(ground, isAlone, ''))
    .digest('hex')
    .slice(0, 32);
  const families = ground.block6 === undefined ? (['4'] as const) : (['4', '6'] as const);
  const elements = families.flatMap((family) => {
    const addressOf = (number: number): string =>
      (family === '4' ? addressIn(ground, number) : address6In(ground, number)) ?? '';
    const ports = holdings.flatMap(({ number, ports: held }) =>
      held.map(({ protocol, from, to }) => `${protocol} . ${from}-${to} : ${addressOf(number)}`),
    );
    const devices = holdings.flatMap(({ number, devicesPort }) =>
      devicesPort === null ? [] : [`${devicesPort} : ${addressOf(number)}`],
    );
    return [...fill(`ports${family}`, ports), ...fill(`devices${family}`, devices)];
  });
  return { hash, base: baseRules(ground, isAlone, hash), elements: `${elements.join('\n')}\n` };
}

function fill(map: string, elements: readonly string[]): string[] {
  const at = `inet ${RELAY_TABLE} ${map}`;
  return [
    `flush map ${at}`,
    ...(elements.length === 0 ? [] : [`add element ${at} { ${elements.join(', ')} }`]),
  ];
}
