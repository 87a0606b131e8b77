import type { Compiled, CompileInput } from '../../core/contract.ts';
import { wayOutOf, type EgressSpec } from '../../core/egress.ts';
import type { Service } from '../../core/service.ts';

/** `egress:hub`: exactly these services are let out, sorted by name. */
export type Spec = EgressSpec;

export const EGRESS_KEY = 'egress:hub';

export function compile({ services: all }: CompileInput): Compiled<Spec> {
  const services = all.flatMap(leaverOf).sort((a, b) => (a.service < b.service ? -1 : 1));
  const neededBy = services.map(({ service }) => service);
  return {
    resources: services.length === 0 ? [] : [{ key: EGRESS_KEY, spec: { services }, neededBy }],
    wants: [],
    problems: [],
    ledger: {},
  };
}

function leaverOf({ name, address, place, egress, privacy }: Service): EgressSpec['services'] {
  if (egress === undefined || place.type !== 'namespace') return [];
  return [{ service: name, address, by: wayOutOf(egress, privacy) }];
}
