import { isPublicUnicast } from '../../core/inet.ts';
import type { AddressStatus } from '../../core/status.ts';
import type { Check, CheckContext, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import type { GatewayState } from '../world.ts';

interface Named {
  readonly name: string;
  readonly addresses: readonly string[];
  /** By its zone's own servers, where nothing is found here. */
  readonly atSource?: readonly string[];
}

/**
 * Public names of pages, and whether they lead to this home.
 *
 *   the name's addresses          | found
 *   ------------------------------+----------------------------------------------------------------
 *   this home's public one        | ok
 *   none                          | NAME_MISSING
 *   none, and its own zone's      | NAME_HIDDEN: what answers for names at home keeps it back (DNS rebinding protection,
 *   servers say where it is       | a filter)
 *   private ones alone            | NAME_PRIVATE: a router at home answers in its own way
 *   others                        | NAME_ELSEWHERE
 */
export const names: Check = {
  name: 'names',
  title: 'names.name',
  needs: ['outside', 'gateway'],
  deadlineMs: 7500,
  run: async (context) => {
    const { world, signal, see } = context;
    const hosts = hostsIn(await world.gateway());
    if (hosts.length === 0) return { text: text('names.none') };
    const { ipv4 } = await world.ask<AddressStatus>('/v1/address', signal);
    const looked = await Promise.all(hosts.map((name) => lookUp(name, context)));
    const id = see('names', 'dns', { home: ipv4, looked });
    const known = looked.filter((one) => one !== undefined);
    const findings = known.flatMap((one) => findingOf(one, ipv4, id));
    if (findings.length > 0) return { text: text('names.wrong', { count: findings.length }), findings };
    if (known.length < hosts.length || ipv4 === null) return { text: text('names.unknown'), isUnknown: true };
    return { text: text('names.ok', { names: hosts.join(', '), address: ipv4 }) };
  },
};

/** Those of pages; a service that is to be found by onion alone is asked about nowhere. */
function hostsIn(gateway: GatewayState): string[] {
  if (gateway.state !== 'running') return [];
  const urls = gateway.status.services.flatMap(({ ways, privacy }) =>
    privacy === 'tor-only'
      ? []
      : ways
          .filter(({ provider }) => provider === 'clearnet')
          .flatMap(({ addresses }) => addresses.map(({ url }) => url)),
  );
  const hosts = urls.flatMap((url) => (URL.canParse(url) ? [new URL(url).hostname] : []));
  return [...new Set(hosts)].filter((host) => /[a-z]$/i.test(host));
}

async function lookUp(name: string, { world, signal }: CheckContext): Promise<Named | undefined> {
  const looked = await world.lookup(name, 4, signal);
  if ('addresses' in looked) return { name, addresses: looked.addresses };
  if (looked.failure !== 'no-such-name') return undefined;
  const source = await world.lookupAtSource(name, signal);
  const atSource = source !== undefined && 'addresses' in source ? source.addresses : [];
  return { name, addresses: [], atSource };
}

function findingOf(
  { name, addresses, atSource = [] }: Named,
  home: string | null,
  evidence: string,
): Finding[] {
  if (home !== null && addresses.includes(home)) return [];
  const values = { name, addresses: addresses.join(', '), home: home ?? '?' };
  if (atSource.length > 0) {
    const fix = [{ text: text('names.fix.rebinding', values), who: 'you' as const }];
    return [
      {
        code: 'NAME_HIDDEN',
        values: { ...values, addresses: atSource.join(', ') },
        because: [evidence],
        fix,
      },
    ];
  }
  if (addresses.length === 0) {
    const fix = [
      { text: text('names.fix.set', values), command: 'gateway name set --help', who: 'you' as const },
    ];
    return [{ code: 'NAME_MISSING', values, because: [evidence], fix }];
  }
  if (!addresses.some(isPublicUnicast)) {
    const fix = [{ text: text('names.fix.rebinding', values), who: 'you' as const }];
    return [{ code: 'NAME_PRIVATE', values, because: [evidence], fix }];
  }
  if (home === null) return [];
  const fix = [
    { text: text('names.fix.move', values), who: 'you' as const },
    { text: text('names.fix.keep'), command: 'gateway name set --help', who: 'you' as const },
  ];
  return [{ code: 'NAME_ELSEWHERE', values, because: [evidence], fix }];
}
