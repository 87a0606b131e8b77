import { text, type Text } from '../messages/message.ts';
import type { Visited } from '../world.ts';

/** An empty page is like any other. */
const LEAST_BYTES = 16;
/** Fewer lines say nothing by being the same. */
const LEAST_LINES = 8;
const LIKE = 0.8;

/**
 * What shows that both are one, the plainest first; `undefined`: nothing does.
 *
 *   seen at both                                               | said
 *   -----------------------------------------------------------+----------------
 *   the same page, or four of five of its lines where there are | the page
 *   enough: pages greet visitors and hold tokens               |
 *   one certificate                                            | the certificate
 *   ETag or Last-Modified of a page                            | that header
 */
export function likenessOf(one: Visited, other: Visited): Text | undefined {
  const [a, b] = [one.page, other.page];
  const areShown = a?.status === 200 && b?.status === 200;
  if (areShown && isLike(a.body, b.body)) return text('leaks.same-page');
  if (one.certificate !== undefined && one.certificate.fingerprint === other.certificate?.fingerprint)
    return text('leaks.same-certificate');
  if (!areShown) return undefined;
  const valueIn = (page: typeof a, name: string): string | undefined =>
    page.headers.find(([header]) => header === name)?.[1];
  const header = ['etag', 'last-modified'].find((name) => {
    const value = valueIn(a, name);
    return value !== undefined && value.length > 8 && value === valueIn(b, name);
  });
  return header === undefined ? undefined : text('leaks.same-header', { header });
}

function isLike(a: string, b: string): boolean {
  if (a.length < LEAST_BYTES || b.length < LEAST_BYTES) return false;
  if (a === b) return true;
  const [lines, others] = [linesOf(a), linesOf(b)];
  if (Math.min(lines.size, others.size) < LEAST_LINES) return false;
  const common = [...lines].filter((line) => others.has(line));
  return common.length >= LIKE * Math.max(lines.size, others.size);
}

/** Some write all of a page on one line. */
function linesOf(body: string): Set<string> {
  const lines = body.split(/\n|(?<=>)/).map((line) => line.trim());
  return new Set(lines.filter((line) => line !== ''));
}
