import { usableChallenges, type Authority, type Challenge } from './certificate.ts';
import { DAY, HOUR, LONGEST_WAIT_MS, recordOf, type CertificateState } from './certificate-life.ts';

/**
 * Our own limits for one name at one authority; below those of Let's Encrypt (5 failed authorizations an hour, 5
 * certificates of the same names in 7 days), which refuses for hours once they are met.
 */
const LIMITS = { failuresAnHour: 4, certificatesAWeek: 4, advisedAWeek: 20 } as const;

/** An order that was placed is taken up again where it was placed, unless that authority wants to be left alone. */
export function authorityOf(state: CertificateState, directory: string, now: number): Choice | undefined {
  const authority = state.spec.authorities.find((one) => one.directory === directory);
  if (authority === undefined || isBlocked(state, directory, now)) return undefined;
  return { authority, directory, isRehearsal: false };
}

/** Which authority is asked, and whether it is rehearsed first; or until when none may be asked. */
export type Choice =
  | { readonly authority: Authority; readonly directory: string; readonly isRehearsal: boolean }
  | { readonly blockedUntil: number; readonly message: string };

/**
 *   failures in a row | asked
 *   0                 | the first authority
 *   1, 2              | the first authority; its staging first, where it has one
 *   3 and more        | each authority in turn; its staging first, where it has one
 *
 * One that wants to be left alone, or whose limits are near, is passed over. A renewal that names the certificate that
 * it replaces in its window (RFC 9773 5) is exempt from limits on certificates.
 */
export function chooseAuthority(state: CertificateState, now: number): Choice {
  const { authorities } = state.spec;
  const turn = state.failures < 3 ? 0 : state.failures % authorities.length;
  const inTurn = [...authorities.slice(turn), ...authorities.slice(0, turn)];
  const authority = inTurn.find(({ directory }) => blockedUntil(state, directory, now) === undefined);
  if (authority === undefined) return soonest(state, now);
  const { staging, directory } = authority;
  const isRehearsal = state.failures > 0 && state.isRehearsed !== true && staging !== undefined;
  return { authority, isRehearsal, directory: isRehearsal ? staging : directory };
}

function soonest(state: CertificateState, now: number): Choice {
  const times = state.spec.authorities.map(({ directory }) => blockedUntil(state, directory, now) ?? now);
  return {
    blockedUntil: Math.min(...times),
    message: 'so many certificates or tries were asked for that the authority would refuse this one',
  };
}

export function isBlocked(state: CertificateState, directory: string, now: number): boolean {
  return blockedUntil(state, directory, now) !== undefined;
}

function blockedUntil(state: CertificateState, directory: string, now: number): number | undefined {
  const { failedAt, issuedAt, blockedUntil: said } = recordOf(state, directory);
  const isExempt = state.window?.renewAt !== undefined && state.held?.directory === directory;
  const ends = [
    said,
    endOf(failedAt, LIMITS.failuresAnHour, HOUR, now),
    endOf(issuedAt, isExempt ? LIMITS.advisedAWeek : LIMITS.certificatesAWeek, 7 * DAY, now),
  ].flatMap((end) => (end !== undefined && end > now && end < now + LONGEST_WAIT_MS ? [end] : []));
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** When fewer than `most` of these times lie within the last `span`. */
function endOf(times: readonly number[], most: number, span: number, now: number): number | undefined {
  const counted = times.filter((time) => time > now - span && time <= now);
  const oldest = counted.at(-most);
  return oldest === undefined ? undefined : oldest + span;
}

/**
 * Challenges to try, best first: what proved the name last, then what has not failed, what failed longest ago, and among
 * equals DNS-01, which needs no open port.
 */
export function challengesInTurn({ spec, proved, failed }: CertificateState): Challenge[] {
  const rank = (challenge: Challenge): number => {
    const place = failed.indexOf(challenge);
    if (place >= 0) return 1 + place;
    return challenge === proved ? -1 : 0;
  };
  return usableChallenges(spec).sort((a, b) => rank(a) - rank(b));
}
