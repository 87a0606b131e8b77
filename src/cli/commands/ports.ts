import type { PortsReport } from '../../core/mapper.ts';
import { EXIT, type Command } from '../command.ts';
import { show } from '../report.ts';

export const ports: Command = {
  name: 'ports',
  summary: 'Show the ports that the router opened, for this gateway and for others',
  details: [
    'The gateway asks the router by PCP, NAT-PMP or UPnP, renews each lease, and asks again when the router forgot. "held" is what the router says; PROVED is when a visit from outside last came through.',
    'Exit code: 0 every port is held, 1 one is not, or is of no use.',
  ],
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const { isWell, renderPorts } = await import('../render-ports.ts');
    const client = await context.client();
    const report = await client.get<PortsReport>('/v1/ports', context.signal);
    show(context, report, () => renderPorts(report, Date.now()));
    return isWell(report) ? EXIT.ok : EXIT.warnings;
  },
};
