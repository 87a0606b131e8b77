import { z } from 'zod';
import { Tri } from '../core/status.ts';

/**
 * Shapes of what the doctor finds; `gateway doctor --json` prints a `Report` unchanged. What stands in schema 1 keeps its
 * name and meaning; more may be added.
 */
export const SCHEMA = 1;

/** Something that was seen, as it was seen: what a finding rests on. */
export const Evidence = z.object({
  /** Unique in a report: the check, a dot, a word: `clock.date`. */
  id: z.string(),
  /** How it was seen: `http-date`, `record-route`. */
  method: z.string(),
  /** ISO 8601 */
  at: z.string(),
  raw: z.json(),
});
export type Evidence = z.infer<typeof Evidence>;

export const NatRule = z.enum([
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
  'unknown',
]);

/** Which ways of asking for ports a router answers; `unknown` where it was not asked, or an answer could not be had. */
export const HopPortmap = z.object({
  upnp: Tri,
  pmp: Tri,
  pcp: Tri,
  /** Seconds since the router forgot everything; `null` when it does not say. */
  epoch: z.number().nullable(),
});

/** One router on the way out, the nearest first. */
export const NatHop = z.object({
  /** 1: the first router after this machine. */
  ttl: z.number(),
  /** Its address on our side; `null` when it does not show one. */
  lan: z.string().nullable(),
  /** Its address on the other side. */
  wan: z.string().nullable(),
  /** Which source address the next router sees packets of ours with. */
  seenSourceByNext: z.string().nullable(),
  /** It keeps state that expires: a NAT, or a firewall. */
  stateful: Tri,
  translates: Tri,
  /** Never more than probably. */
  owner: z.enum(['yours', 'provider', 'unknown']),
  portmap: HopPortmap,
  /** What it says of itself (UPnP): `TP-Link Archer C7`. */
  model: z.string().nullable(),
  /** Its own pages (UPnP's presentation URL). */
  page: z.string().nullable(),
  /** Ids. */
  evidence: z.array(z.string()),
});
export type NatHop = z.infer<typeof NatHop>;

/**
 * Why a count of NATs is a range.
 *
 *   outside    nobody outside told which address this home has
 *   unbounded  no router on the way was seen to own the public address: further ones may translate
 *   unproved   of one router or more it is not proved whether it translates or lets through
 *   addresses  nothing but one measurement says where it ends: no address of a router confirms it
 *   state      nobody looked where state expires: that takes a relay, and the full examination
 *   unsteady   state did not behave on the way: it expired although it was refreshed
 *   disagree   measurements contradict each other: a router keeps state longer than the window, or one misleads
 */
export const NatDoubt = z.enum([
  'outside',
  'unbounded',
  'unproved',
  'addresses',
  'state',
  'unsteady',
  'disagree',
]);
export type NatDoubt = z.infer<typeof NatDoubt>;

/** How many routers translate addresses on the way out, and which. */
export const NatReport = z.object({
  count: z.object({
    min: z.number(),
    /** `null`: nothing bounds it. */
    max: z.number().nullable(),
    /** The state-expiry count agrees with at least one proof of addresses, and `min` is `max`. */
    exact: z.boolean(),
    /** Within the range; what is told with `probably`. */
    likely: z.number(),
    /** Why it is not exact; empty when it is. */
    doubts: z.array(NatDoubt),
  }),
  hops: z.array(NatHop),
  /** Of all of them together (RFC 4787, found out as in RFC 5780). */
  mapping: NatRule,
  filtering: NatRule,
  /** As seen from outside; `null`: nobody outside could be asked. */
  publicV4: z.string().nullable(),
  publicV6: z.string().nullable(),
  evidence: z.array(Evidence),
});
export type NatReport = z.infer<typeof NatReport>;

/**
 *   error    a configured way does not work, or nothing does
 *   warning  something works worse than it could, or will stop working
 *   note     nothing to do now, but good to know
 */
export const Severity = z.enum(['error', 'warning', 'note']);
export type Severity = z.infer<typeof Severity>;

/** `provider`: who sells the internet line, or the rented machine. */
export const Doer = z.enum(['you', 'provider']);

export const ReportedFinding = z.object({
  /** Stable; docs/reference/findings.md lists all. */
  code: z.string(),
  severity: Severity,
  title: z.string(),
  /** Why we think so, in words. */
  seen: z.string(),
  /** Ids of evidence. */
  because: z.array(z.string()),
  /** Codes of findings of this report that explain this one; such a finding is not shown to people. */
  dependsOn: z.array(z.string()),
  /** In the order in which it is to be done. */
  fix: z.array(z.object({ text: z.string(), command: z.string().optional(), who: Doer })),
  /** A command that shows whether it is mended. */
  verify: z.string(),
});
export type ReportedFinding = z.infer<typeof ReportedFinding>;

/** `no` is said of what was seen not to work alone; what could not be found out is `unknown`. */
export const Answer = z.enum(['yes', 'no', 'degraded', 'unknown']);
export type Answer = z.infer<typeof Answer>;

export const Mode = z.enum(['quick', 'full', 'deep']);
export type Mode = z.infer<typeof Mode>;

export const CheckReport = z.object({
  name: z.string(),
  /** Its name in words. */
  title: z.string(),
  /** `skipped`: not asked for, or not possible here; `why` says which. */
  state: z.enum(['ok', 'note', 'warning', 'error', 'unknown', 'skipped']),
  /** One line for people. */
  text: z.string(),
  durationMs: z.number(),
});
export type CheckReport = z.infer<typeof CheckReport>;

export const Report = z.object({
  schema: z.literal(SCHEMA),
  /** ISO 8601 */
  time: z.string(),
  durationMs: z.number(),
  mode: Mode,
  verdict: z.object({
    /** Of all ways of that kind together; `null`: none is configured. */
    reachable: z.object({
      clearnet: Answer.nullable(),
      wireguard: Answer.nullable(),
      onion: Answer.nullable(),
      relay: Answer.nullable(),
    }),
  }),
  /** `null` when the check did not run. */
  nat: NatReport.omit({ evidence: true }).nullable(),
  checks: z.array(CheckReport),
  findings: z.array(ReportedFinding),
  evidence: z.array(Evidence),
  /** What was changed and not changed back, as sentences; empty unless `--fix` was given. */
  changes: z.array(z.string()),
});
export type Report = z.infer<typeof Report>;
