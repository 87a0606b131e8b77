import type { Spec } from './spec.ts';

/** What visitors type. What is no page has TLS around it, at the same port. */
export function urlOf({ domain, mode }: Pick<Spec, 'domain' | 'mode'>): string {
  return mode === 'http' ? `https://${domain}` : `tls://${domain}:443`;
}
