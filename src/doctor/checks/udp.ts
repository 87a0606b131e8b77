import type { Check } from '../check.ts';
import { text } from '../messages/message.ts';
import type { StunSeen } from '../world.ts';
import { askWitnesses, STUN_WITNESSES } from '../witnesses.ts';

/** WireGuard is UDP alone; offices, hotels and some providers let none out. */
export const udp: Check = {
  name: 'udp',
  title: 'udp.name',
  needs: ['outside'],
  deadlineMs: 7500,
  run: async (context) => {
    const { world, signal, see } = context;
    const seen = await firstToAnswer(STUN_WITNESSES.map((server) => world.stun(server, 4, signal)));
    const id = see('stun', 'stun', { servers: STUN_WITNESSES, seen });
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

/** All of them, or as soon as one has an address: that one alone. */
function firstToAnswer(asked: readonly Promise<StunSeen>[]): Promise<readonly StunSeen[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly StunSeen[]>();
  for (const one of asked) {
    one.then((seen) => {
      if ('address' in seen) resolve([seen]);
    }, reject);
  }
  Promise.all(asked).then(resolve, reject);
  return promise;
}
