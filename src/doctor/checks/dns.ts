import type { Check, CheckContext, Checked } from '../check.ts';
import { text } from '../messages/message.ts';
import { isPublicUnicast } from '../../core/inet.ts';
import { askWitnesses, WEB_WITNESSES } from '../witnesses.ts';
import type { Looked } from '../world.ts';

/**
 *   well-known names           | found
 *   ---------------------------+-----------------------------------------------------
 *   one has a public address   | ok
 *   no server answers          | DNS_SILENT
 *   all have other addresses,  | DNS_WRONG: whoever answers does not know, or lies
 *   or are said not to exist   |
 *   some of each               | unknown
 */
export const dns: Check = {
  name: 'dns',
  title: 'dns.name',
  needs: ['outside'],
  deadlineMs: 7500,
  run: async (context) => {
    const { world, signal, see } = context;
    const begun = world.now();
    const names = WEB_WITNESSES.map(({ url }) => new URL(url).hostname);
    const looked = await Promise.all(names.map((name) => world.lookup(name, 4, signal)));
    const servers = world.resolvers();
    const id = see('names', 'dns', {
      servers,
      names: names.map((name, index) => ({ name, ...looked[index] })),
    });
    const isLost = looked.every((one) => 'failure' in one) && (await areFoundElsewhere(context));
    // The pages were found by their names meanwhile: these questions were lost, no more.
    if (isLost) return { text: text('dns.unknown'), isUnknown: true };
    return judge(
      looked,
      { servers: servers.join(', '), names: names.join(', '), ms: world.now() - begun },
      id,
    );
  },
};

async function areFoundElsewhere(context: CheckContext): Promise<boolean> {
  return (await askWitnesses(context)).some(({ isGenuine }) => isGenuine);
}

function judge(
  looked: readonly Looked[],
  values: { readonly servers: string; readonly names: string; readonly ms: number },
  evidence: string,
): Checked {
  if (looked.some((one) => 'addresses' in one && one.addresses.some(isPublicUnicast)))
    return { text: text('dns.ok', values) };
  const look = { text: text('dns.fix.look'), command: 'resolvectl status', who: 'you' as const };
  if (looked.every((one) => 'failure' in one && one.failure !== 'no-such-name')) {
    const fix = [{ text: text('dns.fix.router'), who: 'you' as const }, look];
    return { text: text('dns.silent'), findings: [{ code: 'DNS_SILENT', values, because: [evidence], fix }] };
  }
  if (looked.every((one) => 'addresses' in one || one.failure === 'no-such-name')) {
    const fix = [{ text: text('dns.fix.other'), who: 'you' as const }, look];
    return { text: text('dns.wrong'), findings: [{ code: 'DNS_WRONG', values, because: [evidence], fix }] };
  }
  return { text: text('dns.unknown'), isUnknown: true };
}
