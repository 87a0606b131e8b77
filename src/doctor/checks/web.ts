import type { Check, CheckContext, Checked } from '../check.ts';
import { text } from '../messages/message.ts';
import { ADDRESS_WITNESSES, askWitnesses, type Testimony } from '../witnesses.ts';

/**
 *   witnesses' pages                  | found
 *   ----------------------------------+------------------------------------------------
 *   one or more genuine               | ok
 *   none, two or more were replaced   | WEB_SIGN_IN: somebody answers in their place
 *   none, one was replaced            | unknown
 *   no page at all                    | WEB_NONE
 *   no name has an address            | WEB_NONE, unless machines can be connected to by address: then it is about names
 */
export const web: Check = {
  name: 'web',
  title: 'web.name',
  needs: ['outside'],
  deadlineMs: 7800,
  run: async (context) => {
    const testimonies = await askWitnesses(context);
    const id = context.see('pages', 'http-get', testimonies.map(summaryOf));
    const areNamesMissing = testimonies.every(({ seen }) => 'failure' in seen && seen.failure === 'name');
    if (areNamesMissing && (await isAnyoneThere(context)))
      return { text: text('web.no-names'), isUnknown: true };
    return judge(testimonies, id);
  },
};

async function isAnyoneThere({ world, signal, see }: CheckContext): Promise<boolean> {
  const found = await Promise.all(ADDRESS_WITNESSES.map((host) => world.connect(host, 443, signal)));
  see(
    'addresses',
    'tcp-connect',
    ADDRESS_WITNESSES.map((host, index) => ({ host, found: found[index] })),
  );
  return found.some((one) => one === 'open');
}

function judge(testimonies: readonly Testimony[], evidence: string): Checked {
  const genuine = testimonies.flatMap(({ seen, isGenuine }) =>
    isGenuine && 'ms' in seen ? [Math.round(seen.ms)] : [],
  );
  if (genuine.length > 0) return { text: text('web.ok', { ms: Math.min(...genuine) }) };
  const hosts = testimonies.map(({ host }) => host).join(', ');
  const replaced = testimonies.flatMap(({ seen }) => ('status' in seen ? [seen] : []));
  if (replaced.length > 1) {
    const page = replaced.flatMap(({ location }) => location ?? [])[0];
    return {
      text: text('web.replaced'),
      findings: [
        {
          code: 'WEB_SIGN_IN',
          values: { hosts, page: page ?? WEB_PAGE },
          because: [evidence],
          fix: [{ text: text('web.fix.sign-in', { page: page ?? WEB_PAGE }), who: 'you' }],
        },
      ],
    };
  }
  if (replaced.length === 1) return { text: text('web.contested'), isUnknown: true };
  return {
    text: text('web.none'),
    findings: [
      {
        code: 'WEB_NONE',
        values: { hosts },
        because: [evidence],
        fix: [
          { text: text('web.fix.router'), who: 'you' },
          { text: text('web.fix.provider'), who: 'provider' },
        ],
      },
    ],
  };
}

/** Any page without TLS makes a sign-in page show itself. */
const WEB_PAGE = 'http://neverssl.com';

function summaryOf({ host, seen, isGenuine }: Testimony) {
  if ('failure' in seen) return { host, failure: seen.failure };
  const { status, location = null, ms } = seen;
  return { host, status, location, isGenuine, ms: Math.round(ms) };
}
