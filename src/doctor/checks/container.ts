import type { Check } from '../check.ts';
import { text } from '../messages/message.ts';

/** Inside a container the network is the container's: its bridge is one more NAT, made by this very machine. */
export const container: Check = {
  name: 'container',
  title: 'container.name',
  needs: [],
  deadlineMs: 2000,
  run: ({ world, see }) => {
    const { container: kind, isRoot, kernel } = world.machine;
    const id = see('machine', 'proc', world.machine);
    if (kind === undefined) {
      return Promise.resolve({ text: text(isRoot ? 'container.none' : 'container.user', { kernel }) });
    }
    return Promise.resolve({
      text: text('container.inside', { kind }),
      findings: [
        {
          code: 'CONTAINER',
          values: { kind },
          because: [id],
          fix: [{ text: text('container.fix.host'), who: 'you' }],
        },
      ],
    });
  },
};
