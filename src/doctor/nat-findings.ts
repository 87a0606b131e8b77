import { isInCidr, isPublicUnicast } from '../core/inet.ts';
import type { Finding, Step } from './check.ts';
import { text, type Values } from './messages/message.ts';
import type { Answer, NatHop, NatReport, Severity } from './types.ts';

/** What the ways in that need an open port say of themselves: all of them together; `null`: there are none. */
export type NeedsPort = Answer | null;

/**
 * What the NATs mean for somebody who wants to be reached.
 *
 *   routers that translate                          | found
 *   ------------------------------------------------+-------------------------------------------
 *   none, or one that has the public address        | nothing
 *   the outermost is the provider's (see isShared)  | NAT_CARRIER
 *   two or more of this home                        | NAT_DOUBLE, also when NAT_CARRIER is there
 *   … where that is likely, and not proved          | NAT_DOUBLE, never an error
 *   the port outside depends on who is spoken to    | NAT_SYMMETRIC
 */
export function natFindings(nat: NatReport, ways: NeedsPort): Finding[] {
  const carrier = nat.hops.find((hop) => isShared(hop, nat.publicV4));
  const inside = nat.hops.filter(({ ttl }) => carrier === undefined || ttl <= carrier.ttl);
  const proved = inside.filter(({ translates }) => translates === 'yes');
  const likely = inside.filter(isLikely);
  const isProved = carrier === undefined ? nat.count.min >= 2 : proved.length >= 2;
  const own = isProved ? proved : likely;
  const isDouble = isProved || (likely.length >= 2 && nat.count.likely >= 2);
  const severity = severityFor(ways);
  const isFirst = carrier === undefined && isProved;
  const less = severity === 'error' ? 'warning' : severity;
  return [
    ...(carrier === undefined ? [] : [carrierFinding(carrier, nat, severity)]),
    ...(isDouble ? [doubleFinding(own, nat, isProved, isFirst ? severity : less)] : []),
    ...symmetricFinding(nat),
  ];
}

/** Different addresses on its two sides, both of a home: what else would it be for? */
function isLikely({ translates, owner, lan, wan }: NatHop): boolean {
  if (translates !== 'unknown') return translates === 'yes';
  return owner === 'yours' && lan !== null && wan !== null && lan !== wan;
}

/** What nothing suffers from is worth knowing; what somebody waits for is an error. */
function severityFor(ways: NeedsPort): Severity {
  if (ways === 'yes') return 'note';
  return ways === 'no' || ways === 'degraded' ? 'error' : 'warning';
}

/** RFC 6598; DS-Lite's (RFC 6333 5.7). */
const SHARED = ['100.64.0.0/10', '192.0.0.0/29'];

/**
 * The last router of this home, whose outside is an address of the provider's own network: a shared one, or one that looks
 * public and is not what the world sees (squatted, as billions of traceroutes show).
 */
function isShared({ wan, seenSourceByNext }: NatHop, publicV4: string | null): boolean {
  const outside = wan ?? seenSourceByNext;
  if (outside === null) return false;
  if (SHARED.some((block) => isInCidr(outside, block))) return true;
  return publicV4 !== null && isPublicUnicast(outside) && outside !== publicV4;
}

function carrierFinding(hop: NatHop, nat: NatReport, severity: Severity): Finding {
  const steps: Step[] = [
    { text: text('nat.fix.public-address'), who: 'provider' },
    { text: text('nat.fix.relay'), command: 'gateway expose SERVICE --via relay', who: 'you' },
    { text: text('nat.fix.onion'), command: 'gateway expose SERVICE --via tor', who: 'you' },
    ...(nat.publicV6 === null
      ? []
      : [{ text: text('nat.fix.ipv6', { address: nat.publicV6 }), who: 'you' as const }]),
  ];
  return {
    code: 'NAT_CARRIER',
    severity,
    values: { ttl: hop.ttl, wan: outsideOf(hop), world: nat.publicV4 ?? '?' },
    because: hop.evidence,
    fix: steps,
  };
}

function doubleFinding(
  own: readonly NatHop[],
  nat: NatReport,
  isProved: boolean,
  severity: Severity,
): Finding {
  const sure = text(isProved ? 'nat.surely' : 'nat.likely');
  const values = { ...wordsOf(own[0], own.at(-1), own.length), sure };
  const canAsk = own.every(({ portmap }) => [portmap.upnp, portmap.pmp, portmap.pcp].includes('yes'));
  return {
    code: 'NAT_DOUBLE',
    severity,
    values,
    because: nat.hops.flatMap(({ evidence }) => evidence).filter(onlyFirst),
    fix: [
      { text: text('nat.fix.bridge', values), who: 'you' },
      { text: text('nat.fix.access-point', values), who: 'you' },
      ...(canAsk
        ? [{ text: text('nat.fix.through'), command: 'gateway ports open --through', who: 'you' as const }]
        : [{ text: text('nat.fix.both', values), who: 'you' as const }]),
    ],
  };
}

/** Where only a count is known and no box, they are taken for the first two. */
function wordsOf(inner: NatHop | undefined, outer: NatHop | undefined, count: number): Values {
  const last = outer?.ttl ?? 2;
  const page = outer?.page ?? (outer?.lan == null ? '?' : `http://${outer.lan}`);
  return {
    count: Math.max(count, 2),
    first: inner?.ttl ?? 1,
    last,
    wan: outsideOf(inner),
    box: outer?.model ?? text('nat.box', { ttl: last }),
    page,
  };
}

function outsideOf(hop: NatHop | undefined): string {
  return hop?.wan ?? hop?.seenSourceByNext ?? '?';
}

function onlyFirst(id: string, index: number, all: readonly string[]): boolean {
  return all.indexOf(id) === index;
}

/** Nothing to do where ports are open; holes cannot be punched by guessing. */
function symmetricFinding({ mapping, evidence }: NatReport): Finding[] {
  if (mapping === 'endpoint-independent' || mapping === 'unknown') return [];
  const because = evidence.filter(({ method }) => method === 'behaviour').map(({ id }) => id);
  return [{ code: 'NAT_SYMMETRIC', values: {}, because, fix: [] }];
}
