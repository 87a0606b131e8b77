import type { ServiceStatus } from '../../core/status.ts';
import type { Check, Finding } from '../check.ts';
import { text } from '../messages/message.ts';

/** Services that people are sent to by another way than the owner's first choice, and those that nobody gets to. */
export const fallback: Check = {
  name: 'fallback',
  title: 'fallback.name',
  needs: ['gateway'],
  deadlineMs: 7500,
  run: async ({ world, see }) => {
    const gateway = await world.gateway();
    if (gateway.state !== 'running') return { text: text('fallback.none'), isUnknown: true };
    const services = gateway.status.services.filter(({ fallback: state }) => state !== null);
    const id = see(
      'ways',
      'api',
      services.map(({ name, fallback: state }) => ({ name, state })),
    );
    const findings = services.flatMap((service) => findingOf(service, id));
    if (findings.length === 0) return { text: text('fallback.none') };
    return { text: text('fallback.some', { count: findings.length }), findings };
  },
};

function findingOf({ name, fallback: state }: ServiceStatus, evidence: string): Finding[] {
  if (state === null || (!state.isFallback && !state.isDark)) return [];
  const values = { name, way: state.way, first: state.order[0] ?? '?', why: state.why };
  const fix: Finding['fix'] = [{ text: text('gateway.fix.look'), command: 'gateway status', who: 'you' }];
  return [{ code: state.isDark ? 'SERVICE_DARK' : 'WAY_FALLBACK', values, because: [evidence], fix }];
}
