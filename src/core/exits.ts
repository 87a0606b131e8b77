import type { Tri } from './contract.ts';

/**
 * Exits of the Tor network as a vantage: strangers all over the world who carry a TCP connection to a port of this home.
 * Nobody has to rent a machine for it, and UDP never goes this way. An exit learns the address, the port and, of TLS, the
 * name: what must not be known is never asked about here.
 */
export interface Exits {
  /** Rejects only when aborted. */
  probeTcp(probe: TcpProbe, signal: AbortSignal): Promise<ExitsReport>;
  /** Rejects only when aborted. */
  probeTls(probe: TlsProbe, signal: AbortSignal): Promise<ExitsReport>;
}

export interface ExitTarget {
  /** A public address, or a name that the exit looks up itself. */
  readonly host: string;
  readonly port: number;
}

export interface TcpProbe extends ExitTarget {
  readonly send: Uint8Array;
  /** Can only the right end have answered this? Asked again with more, up to 1024 bytes. */
  readonly isProof: (answer: Uint8Array) => boolean;
}

export interface TlsProbe extends ExitTarget {
  /** SNI, empty: none; the certificate is not checked against it. */
  readonly servername: string;
  /** SHA-256 of the leaf certificates that may be served here, in hex: whoever ends the TLS itself has another. */
  readonly fingerprints: readonly string[];
  /** Asked for by GET once the certificate is right; the answer, at most 16 KiB with its header, must contain the text. */
  readonly page?: { readonly path: string; readonly contains: string };
}

/**
 *   carried  our proof came back: the port is open to strangers
 *   refused  the exit could not connect: it was told that nobody listens, or does not say why
 *   silent   nobody answered the exit
 *   other    something answered that is not us: another program at that address, or the exit itself
 *   broken   the exit could not try, or was lost on the way: says nothing
 */
export type ExitOutcome = 'carried' | 'refused' | 'silent' | 'other' | 'broken';

/** What came of one connection through one exit. */
export interface ExitVisit {
  /** Fingerprint of the exit's relay key, 40 hex digits; `undefined` when tor did not tell. */
  readonly exit: string | undefined;
  readonly outcome: ExitOutcome;
  /** Through the same exit, another machine on the internet had just been reached: it does carry connections. */
  readonly isTried: boolean;
  /** Of `other`: what answered (a certificate's SHA-256, or the bytes), by which two exits can be compared. */
  readonly seen?: string;
}

export interface ExitsReport {
  readonly reachable: Tri;
  /** For people: 'carried by 2 Tor exits'. */
  readonly detail: string;
  readonly visits: readonly ExitVisit[];
}

/** Of three exits two must agree. */
export const ENOUGH_EXITS = 2;

/**
 * An exit that lies can hide an open port, and cannot make a closed one look open: it does not know the proof.
 *
 *   different exits that carried | tried ones that were refused, got silence, or saw the same stranger | verdict
 *   -----------------------------+---------------------------------------------------------------------+--------
 *   two or more                  | any                                                                 | yes
 *   one                          | any                                                                 | unknown
 *   none                         | two or more                                                         | no
 *   none                         | fewer                                                               | unknown
 */
export function judgeExits(visits: readonly ExitVisit[]): Omit<ExitsReport, 'visits'> {
  const of = (outcome: ExitOutcome): number => exitsOf(visits.filter((visit) => visit.outcome === outcome));
  const carried = of('carried');
  if (carried >= ENOUGH_EXITS) return { reachable: 'yes', detail: `carried by ${carried} Tor exits` };
  if (carried > 0) return unknown('only one Tor exit got through', visits);
  const tried = visits.filter(({ isTried }) => isTried);
  const missed = tried.filter(({ outcome }) => outcome === 'refused' || outcome === 'silent');
  if (exitsOf(missed) >= ENOUGH_EXITS) {
    const isRefused = missed.every(({ outcome }) => outcome === 'refused');
    const what = isRefused ? 'could not connect' : 'got no answer';
    return { reachable: 'no', detail: `${exitsOf(missed)} Tor exits ${what}` };
  }
  const strangers = Map.groupBy(
    tried.filter(({ outcome }) => outcome === 'other'),
    ({ seen }) => seen,
  );
  if ([...strangers.values()].some((same) => exitsOf(same) >= ENOUGH_EXITS)) {
    return { reachable: 'no', detail: 'Tor exits found something else at that address and port' };
  }
  return unknown('too few Tor exits could tell', visits);
}

function unknown(why: string, visits: readonly ExitVisit[]): Omit<ExitsReport, 'visits'> {
  const said = [...Map.groupBy(visits, ({ outcome }) => outcome)].map(
    ([word, some]) => `${some.length} ${word}`,
  );
  return { reachable: 'unknown', detail: `${why} (${said.join(', ') || 'none answered'})` };
}

function exitsOf(visits: readonly ExitVisit[]): number {
  return new Set(visits.flatMap(({ exit }) => exit ?? [])).size;
}
