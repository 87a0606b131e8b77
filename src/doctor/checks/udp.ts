import type { Check } from '../check.ts';
import { text } from '../messages/message.ts';
import { askWitnesses, STUN_WITNESSES } from '../witnesses.ts';

/** WireGuard is UDP alone; offices, hotels and some providers let none out. */
export const udp: Check = {
  name: 'udp',
  title: 'udp.name',
  mode: 'quick',
  needs: ['outside'],
  deadlineMs: 7500,
  run: async (context) => {
    const { world, signal, see } = context;
    const seen = await Promise.all(STUN_WITNESSES.map((server) => world.stun(server, 4, signal)));
    const id = see(
      'stun',
      'stun',
      STUN_WITNESSES.map((server, index) => ({ server, ...seen[index] })),
    );
    const answer = seen.find((one) => 'address' in one);
    if (answer !== undefined) return { text: text('udp.ok', { address: answer.address }) };
    const isWebThere = (await askWitnesses(context)).some(({ isGenuine }) => isGenuine);
    // Nothing at all comes through, or names are not found: that is not about UDP.
    if (!isWebThere || seen.every((one) => 'failure' in one && one.failure === 'name'))
      return { text: text('udp.unknown'), isUnknown: true };
    return {
      text: text('udp.blocked'),
      findings: [
        {
          code: 'UDP_BLOCKED',
          values: { servers: STUN_WITNESSES.join(', ') },
          because: [id],
          fix: [
            { text: text('udp.fix.firewall'), who: 'you' },
            { text: text('udp.fix.onion'), who: 'you' },
          ],
        },
      ],
    };
  },
};
