import type { EgressSpec, Firewall } from '../../core/egress.ts';
import type { Network } from '../../core/service.ts';

interface Held {
  readonly services: readonly string[];
  readonly firewalls: readonly Firewall[];
}

/**
 *   firewall  | egress: direct (forwarded)                    | egress: tor (comes in to tor)
 *   ----------+-----------------------------------------------+-------------------------------
 *   docker    | both links in DOCKER-USER                     | lets everything in
 *   ufw       | a route rule                                  | a rule
 *   firewalld | the link in a zone that forwards and lets in  | the same
 *   another   | what it must let through                      | the same
 *
 * What another firewall drops no rule of ours can let through; so its owner is told the line.
 */
export function heldNotice({ prefix }: Network, { services }: EgressSpec, held: Held): string {
  const [link, out] = [`${prefix}host`, `${prefix}out`];
  const mine = services.filter(({ service }) => held.services.includes(service));
  const lines = new Set(
    mine.flatMap(({ by: way }) => {
      const by = way === 'direct' ? 'direct' : 'tor';
      const told = held.firewalls.flatMap((firewall) => LINES[by][firewall](by === 'tor' ? link : out));
      return told.length > 0 ? told : [OTHER[by](by === 'tor' ? link : out)];
    }),
  );
  const names = mine.map(({ service }) => service);
  const who = names.length > 3 ? `${names.length} services` : names.join(', ');
  return `another firewall of this machine drops what ${who} sends, or the answers; to let it through: ${[...lines].join('; ')}`;
}

type Lines = Readonly<Record<Firewall, (link: string) => readonly string[]>>;

const trusted = (link: string): string[] => [
  `firewall-cmd --permanent --zone=trusted --add-interface=${link} && firewall-cmd --reload`,
];

const LINES: Readonly<Record<'direct' | 'tor', Lines>> = {
  direct: {
    docker: (link) => [
      `iptables -I DOCKER-USER -i ${link} -j ACCEPT`,
      `iptables -I DOCKER-USER -o ${link} -j ACCEPT`,
    ],
    ufw: (link) => [`ufw route allow in on ${link}`],
    firewalld: trusted,
  },
  tor: { docker: () => [], ufw: (link) => [`ufw allow in on ${link}`], firewalld: trusted },
};

const OTHER = {
  direct: (link: string): string => `forward what comes from ${link}, and what goes back to it`,
  tor: (link: string): string => `let in what comes from ${link}`,
};
