import type { DnsHost, RecordSet } from '../../core/names.ts';
import { ask } from './http.ts';
import { refused } from './refusal.ts';

export interface DuckdnsOptions {
  /** `https://www.duckdns.org` */
  readonly server: string;
  readonly token: string;
}

/** The token stands in the address (their protocol has no header for it), so no address is ever printed. */
export function duckdns({ server, token }: DuckdnsOptions): DnsHost {
  return {
    types: ['A', 'AAAA', 'TXT'],
    replace: async (sets, signal) => {
      for (const parameters of requestsOf(sets)) {
        const url = new URL('/update', server);
        for (const [key, value] of Object.entries({ token, ...parameters })) url.searchParams.set(key, value);
        const { body } = await ask({ method: 'GET', url }, signal);
        if (body.startsWith('OK')) continue;
        const hint = 'look at the name and the token in your account at duckdns.org, then: gateway up';
        throw refused(url.host, body.startsWith('KO') ? 'KO' : 'an answer that is neither OK nor KO', hint);
      }
    },
  };
}

/** `home.duckdns.org` is `home` to them; a name has one TXT, which lies at every name below it too. */
function requestsOf(sets: readonly RecordSet[]): Record<string, string>[] {
  const labelOf = (name: string): string =>
    name
      .replace(/\.duckdns\.org$/, '')
      .split('.')
      .at(-1) ?? '';
  const texts = sets
    .filter(({ type }) => type === 'TXT')
    .map(({ name, values: [text] }) => ({
      domains: labelOf(name),
      ...(text === undefined ? { txt: '', clear: 'true' } : { txt: text }),
    }));
  const labels = new Set(sets.filter(({ type }) => type !== 'TXT').map(({ name }) => labelOf(name)));
  const addresses = [...labels].map((label) => {
    const mine = sets.filter(({ name }) => labelOf(name) === label);
    const valueOf = (type: 'A' | 'AAAA'): string | undefined =>
      mine.find((set) => set.type === type)?.values[0];
    const [ip, ipv6] = [valueOf('A'), valueOf('AAAA')];
    if (ip === undefined && ipv6 === undefined) return { domains: label, clear: 'true' };
    return { domains: label, ...(ip === undefined ? {} : { ip }), ...(ipv6 === undefined ? {} : { ipv6 }) };
  });
  return [...addresses, ...texts];
}
