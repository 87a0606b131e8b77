import { isPrivate, parseIpv4 } from '../../core/inet.ts';
import { text, type Text } from '../messages/message.ts';
import type { Known, SubjectSeen } from './seen.ts';

/** Something that a service tells its visitors of where it is. */
export interface Trace {
  readonly tells: 'home' | 'inside' | 'name';
  readonly word: string;
  readonly where: Text;
}

interface Piece {
  readonly words: string;
  readonly where: Text;
  /** In headers and certificates any private address is one of this home; a page may speak of others. */
  readonly isOwn: boolean;
}

export function tracesIn(subject: SubjectSeen, known: Known): Trace[] {
  const names = known.names.filter((name) => name !== subject.front?.host);
  const inside = [...new Set([...known.inside, subject.target.address])].filter(
    (address) => !isLoopback(address),
  );
  const found = piecesOf(subject).flatMap(({ words, where, isOwn }): Trace[] => {
    const spoken = isOwn ? [...new Set([...inside, ...privateIn(words)])] : inside;
    const named = (tells: Trace['tells'], list: readonly string[]): Trace[] =>
      list.filter((word) => holds(words, word)).map((word) => ({ tells, word, where }));
    return [...named('home', known.addresses), ...named('inside', spoken), ...named('name', names)];
  });
  // The first place of each is enough.
  const first = Map.groupBy(found, ({ tells, word }) => `${tells} ${word}`);
  return [...first.values()].flatMap((traces) => traces.slice(0, 1));
}

function piecesOf({ pages }: SubjectSeen): Piece[] {
  return pages.flatMap(({ path, visited: { page, certificate } }) => [
    ...(page?.headers ?? []).map(([header, words]) => ({
      words,
      where: text('leaks.in-header', { header, path }),
      isOwn: true,
    })),
    ...(page === undefined
      ? []
      : [{ words: page.body, where: text('leaks.in-page', { path }), isOwn: false }]),
    ...(certificate === undefined
      ? []
      : [{ words: certificate.names.join(' '), where: text('leaks.in-certificate'), isOwn: true }]),
  ]);
}

/** As a word of its own: 192.168.1.2 does not stand in 192.168.1.20. A name stands in those below it. */
export function holds(words: string, word: string): boolean {
  const escaped = word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<![\\w-]|\\d\\.)${escaped}(?![\\w-]|\\.\\w)`, 'i').test(words);
}

function privateIn(words: string): string[] {
  const found = words.match(/(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)/g) ?? [];
  return found.filter((one) => parseIpv4(one) !== undefined && isPrivate(one) && !isLoopback(one));
}

function isLoopback(address: string): boolean {
  return /^127\.|^::1$/.test(address);
}
