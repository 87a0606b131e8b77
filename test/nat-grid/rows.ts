import type { Chain, ChainRouter } from '../support/nat-chains.ts';

export interface Row {
  readonly name: string;
  readonly chain: Chain;
  /** Asked with STUN alone. */
  readonly isWithoutRelay?: boolean;
}

const nat = (more: Partial<ChainRouter> = {}): ChainRouter => ({ kind: 'nat', ...more });
const plain: ChainRouter = { kind: 'plain' };
const firewall: ChainRouter = { kind: 'firewall' };
const upnp = nat({ speaks: ['upnp'] });
const pmp = nat({ speaks: ['nat-pmp'] });
const pcp = nat({ speaks: ['pcp'] });
/** Says from where it sees packets come, as RFC 6887 has it. */
const seer = nat({ answersAll: true });
const all = nat({ speaks: ['pcp', 'nat-pmp', 'upnp'] });
/** Opens ports although its own address outside is a private one. */
const obedient = nat({ speaks: ['pcp', 'nat-pmp', 'upnp'], tells: '11.99.9.9' });

function deep(depth: number, router: (index: number) => ChainRouter): Chain {
  return Array.from({ length: depth }, (_, index) => router(index));
}

const DEPTHS = [1, 2, 3, 4, 5] as const;

/** Chains of which the doctor must never say an exact number that is wrong; names say what is special. */
export const ROWS: readonly Row[] = [
  { name: 'no NAT', chain: [] },
  { name: 'no NAT, a plain router', chain: [plain] },
  { name: 'no NAT, a firewall', chain: [firewall] },
  { name: 'one, UPnP', chain: [upnp] },
  { name: 'one, NAT-PMP', chain: [pmp] },
  { name: 'one, PCP', chain: [pcp] },
  { name: 'one, UPnP tells a wrong address', chain: [nat({ speaks: ['upnp'], tells: '11.77.7.7' })] },
  { name: 'two, the inner one speaks and refuses', chain: [all, nat()] },
  { name: 'two, the inner one speaks and obeys', chain: [obedient, nat()] },
  { name: 'two, the outer one speaks', chain: [nat(), all] },
  { name: 'two, both speak', chain: [obedient, all] },
  { name: 'two, the outer one lets all in', chain: [nat(), nat({ isOpen: true })] },
  { name: 'three, mixed', chain: [upnp, nat(), pcp] },
  { name: 'NAT on 1, 3, 4 and 6 of six', chain: [nat(), plain, nat(), nat(), plain, nat()] },
  { name: 'NAT on 1, 3, 4 and 6 of six, all speak', chain: [all, plain, all, all, plain, all] },
  { name: 'a plain router between', chain: [all, plain, all] },
  { name: 'a firewall between', chain: [all, firewall, all] },
  { name: 'a plain router between, seen by the outer one', chain: [nat(), plain, seer] },
  { name: 'a firewall between, seen by the outer one', chain: [nat(), firewall, seer] },
  { name: 'a plain router first, seen by the next', chain: [plain, seer] },
  { name: 'NAT on 1, 3, 4 and 6 of six, all see', chain: [seer, plain, seer, seer, plain, seer] },
  { name: 'a firewall between, nobody speaks', chain: [nat(), firewall, nat()] },
  { name: "the provider's firewall", chain: [all, firewall] },
  { name: 'a carrier (100.64/10)', chain: [all, nat({ inside: 'carrier' })] },
  { name: 'a carrier (10/8)', chain: [all, nat({ inside: 'private' })] },
  { name: 'a carrier (25/8, not its own)', chain: [all, nat({ inside: 'squat' })] },
  { name: 'a carrier with a pool', chain: [all, nat({ inside: 'carrier', hasPool: true })] },
  { name: 'a carrier that speaks PCP', chain: [nat(), nat({ inside: 'carrier', speaks: ['pcp'] })] },
  { name: 'symmetric', chain: [nat({ behaviour: 'symmetric' }), nat({ behaviour: 'symmetric' })] },
  { name: 'address-restricted', chain: [nat({ behaviour: 'address-restricted' })] },
  { name: 'full cone', chain: [nat({ behaviour: 'full-cone' }), nat({ behaviour: 'full-cone' })] },
  { name: 'remembers for 150 s', chain: [all, nat({ timer: 150 }), nat()] },
  { name: 'forgets after 10 s', chain: [all, nat({ timer: 10 })] },
  { name: 'in user space', chain: [all, nat({ odd: {} })] },
  { name: 'in user space, counts outgoing alone', chain: [all, nat({ odd: { countsIncoming: false } })] },
  { name: 'in user space, says no time is over', chain: [nat({ odd: { isSilent: true } }), all] },
  { name: 'in user space, loses flows after 20 s', chain: [all, nat({ odd: { atMost: 20 } })] },
  {
    name: 'in user space, forgets after 8 s, ports move',
    chain: [nat({ odd: { unanswered: 8, answered: 8, ports: 'moved' } }), nat()],
  },
  { name: 'a container', chain: [nat({ inside: 'container' }), all] },
  ...DEPTHS.flatMap((depth): Row[] => [
    { name: `${depth} deep, nobody speaks`, chain: deep(depth, () => nat()) },
    { name: `${depth} deep, all speak`, chain: deep(depth, () => all) },
    { name: `${depth} deep, a plain router first`, chain: [plain, ...deep(depth, () => pcp)] },
  ]),
];
