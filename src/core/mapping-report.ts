import { formatEndpoint, isPublicUnicast } from './inet.ts';
import type { MappingReport } from './mapper.ts';
import { PROTOCOL_NAMES } from './mapping.ts';
import type { MappingRefusal } from './mapping.ts';
import type { Remedy } from './mapping-doubt.ts';
import { nameOf, type PortState, type Trouble } from './mapping-lease.ts';

/** What to do about a router that does not map, in words. */
const HINTS: Readonly<Record<MappingRefusal, string>> = {
  silent: 'switch on UPnP, NAT-PMP or PCP in the router, or forward the port there by hand to this machine',
  unsupported:
    'switch on UPnP, NAT-PMP or PCP in the router, or forward the port there by hand to this machine',
  'not-authorized': 'allow this machine to open ports, in the router, or forward the port there by hand',
  conflict: 'another machine has this port in the router: choose another one in gateway.yaml',
  'no-resources': 'the router’s table of ports is full, or its line has no public address: see gateway ports',
  'no-address':
    'another router or the provider’s NAT stands in front of yours: put that one into bridge mode, or use Tor',
  'address-mismatch':
    'another router stands between this machine and that one: forward the port in both, or use Tor',
  failed: 'forward the port in the router by hand to this machine',
};

/** Which refusal says most, when each protocol got another one. */
const TELLING: readonly MappingRefusal[] = [
  'no-address',
  'not-authorized',
  'address-mismatch',
  'conflict',
  'no-resources',
  'failed',
  'silent',
  'unsupported',
];

/** One sentence of several refusals: the most telling one decides the advice. */
export function troubleOf(
  refusals: readonly {
    readonly refusal: MappingRefusal;
    readonly message: string;
    readonly hint?: string | undefined;
  }[],
): Trouble {
  const rank = (refusal: MappingRefusal): number => TELLING.indexOf(refusal);
  const [first] = [...refusals].sort((a, b) => rank(a.refusal) - rank(b.refusal));
  if (first === undefined) {
    return { refusal: 'silent', message: 'this machine has no router (no default route)', hint: NO_ROUTER };
  }
  const others = refusals.filter((each) => each !== first).map(({ message }) => message);
  const message = [first.message, ...(isVague(first.refusal) ? others : [])].join('; ');
  return { refusal: first.refusal, message, hint: first.hint ?? HINTS[first.refusal] };
}

const NO_ROUTER = 'connect this machine to its network; it is looked for again every few seconds';

function isVague(refusal: MappingRefusal): boolean {
  return refusal === 'silent' || refusal === 'unsupported';
}

const NOTHING = { protocol: null, router: null, externalAddress: null, externalPort: null };

export function reportOf(state: PortState): MappingReport {
  const { spec, held, trouble } = state;
  const { transport, port } = spec;
  if (held === undefined) {
    const state = trouble === undefined ? 'asking' : 'failed';
    return { transport, port, state, ...NOTHING, renewedAt: null, expiresAt: null, ...wordsOf(trouble) };
  }
  const { protocol, router, externalPort, externalAddress } = held.lease;
  return {
    transport,
    port,
    state: 'held',
    protocol,
    router,
    externalAddress: externalAddress ?? null,
    externalPort,
    renewedAt: new Date(held.since).toISOString(),
    expiresAt: held.expiresAt === undefined ? null : new Date(held.expiresAt).toISOString(),
    ...wordsOf(deadProblem(state) ?? innerProblem(router, externalAddress) ?? movedProblem(state)),
  };
}

function wordsOf(said: Omit<Trouble, 'refusal'> | undefined): Pick<MappingReport, 'problem' | 'hint'> {
  return { problem: said?.message ?? null, hint: said?.hint ?? null };
}

/** A router whose own address is private or shared maps into the next network, not into the internet. */
function innerProblem(
  router: string,
  externalAddress: string | undefined,
): Omit<Trouble, 'refusal'> | undefined {
  if (externalAddress === undefined || isPublicUnicast(externalAddress)) return undefined;
  // A pinhole: nothing is translated, and the address is our own.
  if (externalAddress.includes(':')) return undefined;
  return {
    message: `the router ${router} opened the port, but its own address ${externalAddress} is not on the internet`,
    hint: HINTS['no-address'],
  };
}

function deadProblem({ spec, held, doubt }: PortState): Omit<Trouble, 'refusal'> | undefined {
  if (held === undefined || doubt === undefined) return undefined;
  return {
    message: `the router ${held.lease.router} says that ${nameOf(spec)} is open at port ${held.lease.externalPort}, but visitors do not get in: ${doubt.why}`,
    hint:
      doubt.rests === 0
        ? 'it is deleted and opened again, then at another port'
        : 'opening it again, and at other ports, did not help: look for a firewall on this machine, or forward the port in the router by hand',
  };
}

/** The port outside is not the one that people were told. */
export function isMoved({ held, told }: PortState): boolean {
  return held !== undefined && told !== undefined && held.lease.externalPort !== told;
}

function movedProblem(state: PortState): Omit<Trouble, 'refusal'> | undefined {
  if (!isMoved(state)) return undefined;
  return {
    message: movedSentenceOf(state),
    hint: 'give each of them a new code (gateway device renew NAME), or forward the old port in the router by hand',
  };
}

export function movedSentenceOf({ spec, held, told }: PortState): string {
  return `${nameOf(spec)} is at port ${held?.lease.externalPort} outside now, no longer at ${told}: devices that were given ${told} do not get in`;
}

/** What the owner must know of it without asking for its ports; none or one sentence. */
export function remarkOf(state: PortState): string[] {
  const { problem, hint } = reportOf(state);
  if (problem === null || (state.doubt === undefined && !isMoved(state))) return [];
  return [hint === null ? problem : `${problem}; ${hint}`];
}

const REMEDY_WORDS: Readonly<Record<Remedy, string>> = {
  again: 'it is deleted and asked for again',
  elsewhere: 'it is deleted and asked for at another port outside',
  back: 'no port helps: the first one is asked for again, and nothing more is tried for a while',
};

export function deadSentenceOf({ spec, held, doubt }: PortState, remedy: Remedy): string {
  return `the router ${held?.lease.router} lists ${nameOf(spec)} at port ${held?.lease.externalPort}, but nothing comes through: ${doubt?.why}; ${REMEDY_WORDS[remedy]}`;
}

/** What people see of it, without the times that change with each renewal. */
export function summaryOf(state: PortState): string {
  const { state: word, router, protocol, externalAddress, externalPort, problem } = reportOf(state);
  return JSON.stringify([word, router, protocol, externalAddress, externalPort, problem]);
}

/** For events: `UDP 51820 is 11.2.0.2:51820 outside, by PCP of 192.168.1.1`. */
export function sentenceOf(state: PortState): string {
  const lease = state.held?.lease;
  if (lease === undefined) return `${nameOf(state.spec)} is not mapped`;
  const { externalAddress: host, externalPort: port } = lease;
  const outside = host === undefined ? `port ${port}` : formatEndpoint({ host, port });
  return `${nameOf(state.spec)} is ${outside} outside, by ${PROTOCOL_NAMES[lease.protocol]} of ${lease.router}`;
}
