import type { MappingReport, PortsReport } from '../../core/mapper.ts';
import type { Check, CheckContext, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import { forwardSteps, type Forward } from '../router-pages.ts';

/** Ports that the router was asked to open; that it says yes is no proof that anybody comes in. */
export const mapping: Check = {
  name: 'mapping',
  title: 'mapping.name',
  needs: ['gateway'],
  deadlineMs: 7800,
  run: async (context) => {
    const { world, signal, see } = context;
    const report = await world.ask<PortsReport>('/v1/ports', signal);
    const id = see('ports', 'api', report);
    const { mappings } = report;
    if (mappings.length === 0) return { text: text('mapping.none') };
    // Somebody came in by it: it is forwarded, whatever the router says.
    const proved = mappings.filter(({ provedAt }) => provedAt !== null);
    const open = mappings.filter((port) => !proved.includes(port));
    const failed = open.filter(({ state }) => state === 'failed');
    const useless = open.filter(({ state, problem }) => state === 'held' && problem !== null);
    const findings = [
      ...(failed.length === 0 ? [] : [await notOpened(failed, report.router, id, context)]),
      ...(useless.length === 0 ? [] : [inVain(useless, id)]),
    ];
    const held = mappings.length - failed.length - useless.length;
    if (findings.length > 0)
      return { text: text('mapping.some', { held, count: mappings.length }), findings };
    if (open.length === 0) return { text: text('mapping.proved', { list: namesOf(proved) }) };
    const isAsking = open.some(({ state }) => state === 'asking');
    if (isAsking) return { text: text('mapping.asking'), isUnknown: true };
    return { text: text('mapping.held', { list: namesOf(mappings) }) };
  },
};

async function notOpened(
  failed: readonly MappingReport[],
  address: string | null,
  evidence: string,
  { world, signal }: CheckContext,
): Promise<Finding> {
  const [router, out] = await Promise.all([world.router(signal), world.wayOut(4, signal)]);
  const to = out?.address ?? '?';
  const forwards = failed.map(({ transport, port }): Forward => ({ transport, port, to }));
  return {
    code: 'PORT_NOT_OPENED',
    values: { ports: namesOf(failed), why: whyOf(failed) },
    because: [evidence],
    fix: forwardSteps(router, address ?? undefined, forwards),
  };
}

function inVain(useless: readonly MappingReport[], evidence: string): Finding {
  return {
    code: 'PORT_OPENED_IN_VAIN',
    values: { ports: namesOf(useless), why: whyOf(useless) },
    because: [evidence],
    fix: [{ text: text('mapping.fix.nat'), command: 'gateway doctor nat', who: 'you' }],
  };
}

function namesOf(mappings: readonly MappingReport[]): string {
  return mappings.map(({ transport, port }) => `${transport.toUpperCase()} ${port}`).join(', ');
}

function whyOf(mappings: readonly MappingReport[]): string {
  return [
    ...new Set(mappings.map(({ problem, hint }) => [problem ?? '', hint ?? ''].filter(Boolean).join('; '))),
  ].join('; ');
}
