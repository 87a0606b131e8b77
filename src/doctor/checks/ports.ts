import type { Check, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import type { Listener, World } from '../world.ts';

/** What the gateway takes on this machine, when a service is to be had there. */
const WANTED = [
  { transport: 'tcp', port: 443, provider: 'clearnet' },
  { transport: 'tcp', port: 80, provider: 'clearnet' },
] as const;
/** The gateway's own edge. */
const OWN = 'haproxy';

/**
 * Who has the ports that pages need.
 *
 *   held by             | a page is to be had here     | otherwise
 *   --------------------+------------------------------+----------------
 *   nobody              | ok (the edge says why not)   | ok
 *   haproxy             | ok: the gateway's own        | note
 *   another program     | warning                      | note
 */
export const ports: Check = {
  name: 'ports',
  title: 'ports.name',
  needs: [],
  deadlineMs: 7000,
  run: async ({ world, signal, see }) => {
    const [all, providers] = await Promise.all([world.listeners(signal), providersIn(world)]);
    if (all === undefined) return { text: text('ports.unknown'), isUnknown: true };
    const taken = WANTED.flatMap(({ transport, port, provider }) => {
      const holder = all.find((one) => one.transport === transport && one.port === port && isOpen(one));
      const isWanted = providers.includes(provider);
      if (holder === undefined || (isWanted && holder.program === OWN)) return [];
      return [{ holder, isWanted }];
    });
    const id = see('listeners', 'ss', all);
    if (taken.length === 0) return { text: text('ports.free') };
    const list = taken.map(({ holder }) => `${holder.port} (${holder.program ?? '?'})`).join(', ');
    return { text: text('ports.taken', { list }), findings: taken.map((one) => findingOf(one, id)) };
  },
};

/** One that is bound to the machine itself stands in nobody's way. */
function isOpen({ address }: Listener): boolean {
  return !address.startsWith('127.') && address !== '::1';
}

async function providersIn(world: World): Promise<readonly string[]> {
  const gateway = await world.gateway();
  if (gateway.state !== 'running') return [];
  return gateway.status.services.flatMap(({ ways }) => ways.map(({ provider }) => provider));
}

function findingOf(
  { holder, isWanted }: { readonly holder: Listener; readonly isWanted: boolean },
  evidence: string,
): Finding {
  const { port, address } = holder;
  const program = holder.program === undefined ? text('ports.somebody') : holder.program;
  return {
    code: 'PORT_TAKEN',
    severity: isWanted ? 'warning' : 'note',
    values: { port, program, address },
    because: [evidence],
    fix: [
      { text: text('ports.fix.look', { port }), command: `sudo ss -ltnp 'sport = :${port}'`, who: 'you' },
      { text: text('ports.fix.move', { program, port }), who: 'you' },
    ],
  };
}
