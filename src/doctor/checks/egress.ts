import type { Check } from '../check.ts';
import { text } from '../messages/message.ts';
import { ADDRESS_WITNESSES } from '../witnesses.ts';

/** Of the web, and one of another service that the same machines offer (DNS over TLS). */
const WEB = 443;
const OTHER = 853;

/**
 *   port 443 of a public resolver | its port 853 | found
 *   ------------------------------+--------------+-------------------------------------------
 *   opens                         | opens        | ok
 *   opens                         | does not     | EGRESS_FILTERED, when it is so of all of them
 *   does not                      | –            | unknown
 */
export const egress: Check = {
  name: 'egress',
  title: 'egress.name',
  needs: ['outside'],
  deadlineMs: 7000,
  run: async ({ world, signal, see }) => {
    const tried = await Promise.all(
      ADDRESS_WITNESSES.map(async (host) => {
        const [web, other] = await Promise.all([
          world.connect(host, WEB, signal),
          world.connect(host, OTHER, signal),
        ]);
        return { host, web, other };
      }),
    );
    const id = see('connections', 'tcp-connect', tried);
    const there = tried.filter(({ web }) => web === 'open');
    if (there.length === 0) return { text: text('egress.unknown'), isUnknown: true };
    if (there.some(({ other }) => other === 'open')) return { text: text('egress.ok') };
    return {
      text: text('egress.filtered'),
      findings: [
        {
          code: 'EGRESS_FILTERED',
          values: { hosts: there.map(({ host }) => host).join(', '), port: OTHER },
          because: [id],
          fix: [
            { text: text('egress.fix.tor'), who: 'you' },
            { text: text('egress.fix.network'), who: 'you' },
          ],
        },
      ],
    };
  },
};
