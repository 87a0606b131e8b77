import type { Context, Observed } from '../../core/contract.ts';
import { enteredText } from '../../core/service.ts';
import type { Spec } from './spec.ts';

export async function observe({ network, ports, signal }: Context): Promise<Observed<Spec>[]> {
  const seen = await ports.helper.call('observe', { network }, signal);
  const observed: Observed<Spec>[] = [];
  if (seen.hub !== undefined) {
    observed.push({ key: 'hub:hub', spec: { type: 'hub', ...network }, facts: {}, ...renewOf(seen.hub) });
  }
  for (const { service, spec, ...rest } of seen.namespaces) {
    const facts = { namespace: `${network.prefix}-${spec.namespace}` };
    observed.push({
      key: `namespace:${service}`,
      spec: { type: 'namespace', ...spec },
      facts,
      ...renewOf(rest),
    });
  }
  for (const { service, spec, ...rest } of seen.entered) {
    const facts = { namespace: enteredText(spec) };
    observed.push({ key: `entered:${service}`, spec: { type: 'entered', ...spec }, facts, ...renewOf(rest) });
  }
  for (const { service, spec, ...rest } of seen.hostServices) {
    observed.push({
      key: `hostService:${service}`,
      spec: { type: 'hostService', ...spec },
      facts: {},
      ...renewOf(rest),
    });
  }
  const flows = seen.hub?.flows ?? [];
  if (flows.length > 0) observed.push({ key: 'flows:hub', spec: { type: 'flows', flows }, facts: {} });
  return observed;
}

function renewOf({ renew }: { readonly renew?: string | undefined }): { readonly renew?: string } {
  return renew === undefined ? {} : { renew };
}
