import type { DnsHost, RecordSet } from '../../core/names.ts';
import { judgeDyndns2 } from '../../wire/dyndns2.ts';
import { ask } from './http.ts';
import { notNow, refused } from './refusal.ts';

export interface Dyndns2Options {
  /** `https://members.example.net` or with a path of its own; `/nic/update` is the usual one. */
  readonly server: string;
  readonly user: string;
  readonly password: string;
}

/** One request for each name, with both families in it, as `myip=4,6` (the form that No-IP, Dyn and dynv6 share). */
export function dyndns2({ server, user, password }: Dyndns2Options): DnsHost {
  return {
    types: ['A', 'AAAA'],
    replace: async (sets, signal) => {
      for (const [name, addresses] of addressesByName(sets)) {
        const url = updateUrl(server);
        url.searchParams.set('hostname', name);
        url.searchParams.set('myip', addresses.join(','));
        const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
        const answer = await ask({ method: 'GET', url, headers: { authorization } }, signal);
        if (answer.status === 401 || answer.status === 403) throw wrongPassword(url.host, `${answer.status}`);
        if (answer.status === 429) throw notNow(url.host, 'too many requests', answer.retryAfterSeconds);
        const { verdict, said } = judgeDyndns2(answer.body);
        if (verdict === 'refused') throw wrongPassword(url.host, said);
        if (verdict === 'later') throw notNow(url.host, `${said} (HTTP ${answer.status})`);
      }
    },
  };
}

function wrongPassword(host: string, said: string): Error {
  return refused(
    host,
    said,
    `look at the name, the user and the password of this account at ${host}, then: gateway up`,
  );
}

function updateUrl(server: string): URL {
  const url = new URL(server);
  if (url.pathname === '/') url.pathname = '/nic/update';
  return url;
}

/** A name whose sets are all empty is left as it is: dyndns2 knows no way to take an address away. */
function addressesByName(sets: readonly RecordSet[]): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (const { name, values } of sets) byName.set(name, [...(byName.get(name) ?? []), ...values]);
  return new Map([...byName].filter(([, addresses]) => addresses.length > 0));
}
