import type { PortsReport } from '../../core/mapper.ts';
import type { Check, CheckContext, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import { wallsAgainst, type Wall, type Wanted } from '../nft-input.ts';

/** A firewall of this very machine that lets nobody in to a port that a way in needs. */
export const firewall: Check = {
  name: 'firewall',
  title: 'firewall.name',
  needs: ['gateway'],
  deadlineMs: 7500,
  run: async (context) => {
    const { world, signal, see } = context;
    if (!world.machine.isRoot) return { text: text('firewall.user'), isUnknown: true };
    const shown = await world.program(['nft', 'list', 'ruleset'], signal);
    if (shown?.exitCode !== 0) return { text: text('firewall.unknown'), isUnknown: true };
    const wanted = await wantedPorts(context);
    const walls = wanted.flatMap((port) => {
      const [wall] = wallsAgainst(shown.stdout, port);
      return wall === undefined ? [] : [{ wall, port }];
    });
    const id = see('input', 'nft', { wanted, walls });
    if (walls.length === 0) return { text: text('firewall.none') };
    const list = walls.map(({ port }) => nameOf(port)).join(', ');
    return {
      text: text('firewall.closed', { list }),
      findings: walls.map(({ wall, port }) => findingOf(wall, port, id)),
    };
  },
};

async function wantedPorts({ world, signal }: CheckContext): Promise<Wanted[]> {
  const { mappings } = await world.ask<PortsReport>('/v1/ports', signal);
  return mappings.map(({ transport, port }) => ({ transport, port }));
}

function nameOf({ transport, port }: Wanted): string {
  return `${transport.toUpperCase()} ${port}`;
}

function findingOf(wall: Wall, port: Wanted, evidence: string): Finding {
  return {
    code: 'FIREWALL_CLOSED',
    values: { port: nameOf(port), table: wall.table, chain: wall.chain },
    because: [evidence],
    fix: [{ text: text('firewall.fix.open'), command: commandFor(wall, port), who: 'you' }],
  };
}

/** In the words of whatever keeps that table, so that it stays open after a restart. */
function commandFor({ family, table, chain }: Wall, { transport, port }: Wanted): string {
  if (table === 'firewalld')
    return `sudo firewall-cmd --permanent --add-port=${port}/${transport} && sudo firewall-cmd --reload`;
  if (/^ip6?$/.test(family) && table === 'filter' && chain === 'INPUT')
    return `sudo ufw allow ${port}/${transport}`;
  return `sudo nft insert rule ${family} ${table} ${chain} ${transport} dport ${port} accept`;
}
