import { isPublicIpv6 } from '../../core/inet6.ts';
import type { Check, CheckContext } from '../check.ts';
import { text } from '../messages/message.ts';
import { askWitnesses, WEB_WITNESSES } from '../witnesses.ts';
import type { Connected } from '../world.ts';

/**
 *   way out, address          | connections to pages' IPv6 addresses | found
 *   --------------------------+--------------------------------------+--------------------------------------
 *   none, or a local address  | –                                    | ok: this line has none
 *   public                    | one opens                            | ok
 *   public                    | none opens, and IPv4 works           | IPV6_BROKEN: programs wait for nothing
 *   public                    | nobody could be asked                | unknown
 */
export const ipv6: Check = {
  name: 'ipv6',
  title: 'ipv6.name',
  needs: ['outside'],
  deadlineMs: 7800,
  run: async (context) => {
    const { world, signal, see } = context;
    const out = await world.wayOut(6, signal);
    if (out === undefined || !isPublicIpv6(out.address)) {
      see('out', 'route', out ?? null);
      return { text: text('ipv6.none') };
    }
    const tried = await connections(context);
    const id = see('connections', 'tcp-connect', { from: out, tried });
    if (tried.length === 0) return { text: text('ipv6.unknown'), isUnknown: true };
    if (tried.some(({ found }) => found === 'open' || found === 'refused'))
      return { text: text('ipv6.ok', { address: out.address }) };
    const isIpv4There = (await askWitnesses(context)).some(({ isGenuine }) => isGenuine);
    if (!isIpv4There) return { text: text('ipv6.unknown'), isUnknown: true };
    return {
      text: text('ipv6.broken'),
      findings: [
        {
          code: 'IPV6_BROKEN',
          values: { address: out.address, hosts: tried.map(({ name }) => name).join(', ') },
          because: [id],
          fix: [
            { text: text('ipv6.fix.router'), who: 'you' },
            { text: text('ipv6.fix.provider'), who: 'provider' },
          ],
        },
      ],
    };
  },
};

async function connections({ world, signal }: CheckContext) {
  const names = WEB_WITNESSES.map(({ url }) => new URL(url).hostname);
  const tried = await Promise.all(
    names.map(async (name): Promise<{ name: string; address: string; found: Connected }[]> => {
      const looked = await world.lookup(name, 6, signal);
      const address = 'addresses' in looked ? looked.addresses[0] : undefined;
      return address === undefined
        ? []
        : [{ name, address, found: await world.connect(address, 80, signal) }];
    }),
  );
  return tried.flat();
}
