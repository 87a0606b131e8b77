/**
 * The answers of dyndns2, the protocol that routers speak to No-IP, Dyn, OVH, Strato and others. Pure.
 *
 * | answer                                        | meaning                                              |
 * | --------------------------------------------- | ---------------------------------------------------- |
 * | `good`                                        | changed                                              |
 * | `nochg`                                       | was so already; saying it often is abuse             |
 * | `badauth` `!donator` `notfqdn` `nohost` `numhost` `abuse` `badagent` | no, until the owner changes something |
 * | `dnserr` `911`, anything else                 | not now: ask again later                             |
 *
 * Several names are answered with a line each; we ask for one.
 */
export type Dyndns2Verdict = 'done' | 'refused' | 'later';

const MEANINGS: Readonly<Record<string, string>> = {
  badauth: 'user or password is wrong',
  '!donator': 'this account may not do that',
  notfqdn: 'this is not a whole name',
  nohost: 'this name is not in the account',
  numhost: 'too many names at once',
  abuse: 'the name was blocked for too many changes',
  badagent: 'this program was blocked',
};

export function judgeDyndns2(body: string): { readonly verdict: Dyndns2Verdict; readonly said: string } {
  const word = /^\s*([!a-z0-9]{1,20})/i.exec(body)?.[1]?.toLowerCase() ?? '';
  if (word === 'good' || word === 'nochg') return { verdict: 'done', said: word };
  const meaning = MEANINGS[word];
  if (meaning !== undefined) return { verdict: 'refused', said: `${word} (${meaning})` };
  return { verdict: 'later', said: word === '' ? 'an answer that is not dyndns2' : word };
}
