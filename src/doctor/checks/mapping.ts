import type { MappingReport, PortsReport } from '../../core/mapper.ts';
import type { Check, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import { forwardSteps, type Forward } from '../router-pages.ts';

/** Ports that the router was asked to open; that it says yes is no proof that anybody comes in. */
export const mapping: Check = {
  name: 'mapping',
  title: 'mapping.name',
  mode: 'quick',
  needs: ['gateway'],
  deadlineMs: 7800,
  run: async ({ world, signal, see }) => {
    const [report, out] = await Promise.all([
      world.ask<PortsReport>('/v1/ports', signal),
      world.wayOut(4, signal),
    ]);
    const id = see('ports', 'api', report);
    const { mappings } = report;
    if (mappings.length === 0) return { text: text('mapping.none') };
    const failed = mappings.filter(({ state }) => state === 'failed');
    const useless = mappings.filter(({ state, problem }) => state === 'held' && problem !== null);
    const asking = mappings.some(({ state }) => state === 'asking');
    const held = mappings.length - failed.length - useless.length;
    if (failed.length + useless.length === 0) {
      return asking
        ? { text: text('mapping.asking'), isUnknown: true }
        : { text: text('mapping.held', { list: namesOf(mappings) }) };
    }
    const router = await world.router(signal);
    const forwards = failed.map(({ transport, port }): Forward => ({
      transport,
      port,
      to: out?.address ?? '?',
    }));
    const findings: Finding[] = [
      ...(failed.length === 0
        ? []
        : [
            {
              code: 'PORT_NOT_OPENED' as const,
              values: { ports: namesOf(failed), why: whyOf(failed) },
              because: [id],
              fix: forwardSteps(router, report.router ?? undefined, forwards),
            },
          ]),
      ...(useless.length === 0
        ? []
        : [
            {
              code: 'PORT_OPENED_IN_VAIN' as const,
              values: { ports: namesOf(useless), why: whyOf(useless) },
              because: [id],
              fix: [{ text: text('mapping.fix.nat'), command: 'gateway doctor nat', who: 'you' as const }],
            },
          ]),
    ];
    return { text: text('mapping.some', { held, count: mappings.length }), findings };
  },
};

function namesOf(mappings: readonly MappingReport[]): string {
  return mappings.map(({ transport, port }) => `${transport.toUpperCase()} ${port}`).join(', ');
}

function whyOf(mappings: readonly MappingReport[]): string {
  return [
    ...new Set(mappings.map(({ problem, hint }) => [problem ?? '', hint ?? ''].filter(Boolean).join('; '))),
  ].join('; ');
}
