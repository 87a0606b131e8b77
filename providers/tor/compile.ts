import type { Compiled, CompileInput, Resource } from '../../src/core/contract.ts';
import type { OnionSpec } from '../../src/core/operations.ts';
import type { Service } from '../../src/core/service.ts';
import { onionKey, PROCESS_KEY, virtualPortOf, type Options, type Settings, type Spec } from './spec.ts';

/**
 * Each onion's files are a resource of their own, so that a damaged key fails alone. The process is one resource that
 * names them all and comes after them: however many onions change, tor loads its torrc once.
 */
export function compile({ network, exposures }: CompileInput<Options, Settings>): Compiled<Spec> {
  const services = exposures.map(({ service }) => service).sort((a, b) => (a.name < b.name ? -1 : 1));
  const onions = services.map(onionOf);
  const files = onions.map((onion): Resource<Spec> => {
    return { key: onionKey(onion.service), spec: { type: 'onion', ...onion }, neededBy: [onion.service] };
  });
  const torrc = { source: network.tor, pool: network.pool, onions };
  const process: Resource<Spec> = {
    key: PROCESS_KEY,
    spec: { type: 'process', torrc },
    neededBy: onions.map(({ service }) => service),
  };
  return {
    resources: onions.length === 0 ? [] : [...files, process],
    // A host's or another machine's service is not behind the hub: tor dials it directly.
    wants: services
      .filter(({ place }) => place.type === 'namespace')
      .map(({ name }) => ({ part: 'namespaces', from: 'tor', service: name })),
    problems: [],
    ledger: {},
  };
}

function onionOf(service: Service): OnionSpec {
  return { service: service.name, virtualPort: virtualPortOf(service), target: { ...service.dial } };
}
