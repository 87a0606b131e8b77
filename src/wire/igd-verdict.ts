import type { AskedMapping, IgdEntry } from './igd-mapping.ts';

/** What a router lists for a port: an entry, nothing, or no answer to the question (some do not know it). */
export type ReadBack = IgdEntry | 'nothing' | 'unanswered';

export type Verdict =
  | 'good'
  /** Ask again without a lease: it takes timed ones and forgets them. */
  | 'drop-lease'
  /** Delete it, then ask again. */
  | 'replace'
  | 'belongs-to-another'
  | 'is-disabled'
  | 'is-missing';

/** Routers count in whole seconds, and some time passes until the answer is here. */
const SLACK_SECONDS = 10;

/**
 * Routers say that they did what they did not. What is listed after a mapping was granted, and what that means:
 *
 * | listed                                   | then         | who does so                                            |
 * | ---------------------------------------- | ------------ | ------------------------------------------------------ |
 * | (does not know the question)             | good         | nothing better can be had                              |
 * | nothing, asked with a lease              | drop lease   | fails silently when leases are on (libtorrent #4406)   |
 * | nothing, asked without                   | is missing   |                                                        |
 * | another client, our description          | replace      | we had another address before (syncthing #1789)        |
 * | another client                           | another's    | says yes for a port that is taken                      |
 * | other inside port                        | as above     |                                                        |
 * | switched off                             | is disabled  |                                                        |
 * | less left than it granted before         | replace      | a repeat does not extend (miniupnp #199)               |
 * | anything else                            | good         | with what is listed, not with what was asked           |
 *
 * `expectedSeconds`: what it granted the last time, or what was asked. A router that grants less than was asked is
 * replaced once, and expected to grant that from then on.
 */
export function judgeReadBack(asked: AskedMapping, listed: ReadBack, expectedSeconds: number): Verdict {
  if (listed === 'unanswered') return 'good';
  if (listed === 'nothing') return asked.leaseSeconds > 0 ? 'drop-lease' : 'is-missing';
  if (listed.internalClient !== asked.internalClient || listed.internalPort !== asked.internalPort) {
    return listed.description === asked.description ? 'replace' : 'belongs-to-another';
  }
  if (!listed.isEnabled) return 'is-disabled';
  return isShort(listed.leaseSeconds, expectedSeconds) ? 'replace' : 'good';
}

/** 0 listed is no end, or a router that does not tell. */
function isShort(left: number | undefined, expected: number): boolean {
  return left !== undefined && left > 0 && left < expected - SLACK_SECONDS;
}

/**
 * Seconds that a mapping may be relied on; 0: until it is deleted. Never more than was asked, though some list a week: a
 * repeat too many does no harm. A router that lists no end to a mapping that was asked with one may merely not tell.
 */
export function leaseOf(askedSeconds: number, listed: ReadBack): number {
  const left = typeof listed === 'string' ? undefined : listed.leaseSeconds;
  if (left === undefined || left === 0) return askedSeconds;
  return askedSeconds === 0 ? left : Math.min(askedSeconds, left);
}
