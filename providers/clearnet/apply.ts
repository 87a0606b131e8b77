import type { Change, Context } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Spec } from './spec.ts';
import { urlOf } from './url.ts';

/**
 * The built-in parts came before and did the work; this says whether it is done. When the page goes, its parts take it
 * down after us, so that there is nothing left to do here.
 */
export async function apply(change: Change<Spec>, { ports, signal }: Context): Promise<void> {
  if (change.op === 'delete') return;
  const { service, domain } = change.want.spec;
  const { edge } = await ports.helper.call('edge.observe', {}, signal);
  if (edge?.sites.some((site) => site.service === service && site.domain === domain) === true) return;
  throw new GatewayError(`HAProxy does not answer at ${domain} for ${service} yet`, {
    code: 'EdgeUnavailable',
    hint: 'what failed before it says why; it is tried again',
  });
}

export function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return `take ${change.have.spec.service} off ${urlOf(change.have.spec)}`;
  return `put ${change.want.spec.service} on ${urlOf(change.want.spec)}`;
}
