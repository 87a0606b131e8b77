import type { Compiled, CompileInput, Exposure, Resource } from '../../src/core/contract.ts';
import type { OnionSpec } from '../../src/core/operations.ts';
import { authorize, type Authorization } from './authorization.ts';
import { onionKey, PROCESS_KEY, virtualPortOf, type Options, type Settings, type Spec } from './spec.ts';

/**
 * Each onion's files are a resource of their own, so that a damaged key fails alone. The process is one resource that
 * names them all and comes after them: however many onions change, tor loads its torrc once.
 */
export function compile(input: CompileInput<Options, Settings>): Compiled<Spec> {
  const { network, services: all, exposures } = input;
  const { byService, ledger } = authorize(input);
  const sorted = [...exposures].sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  const services = sorted.map(({ service }) => service);
  const onions = sorted.map((exposure) => onionOf(exposure, byService.get(exposure.service.name)));
  const files = onions.map((onion): Resource<Spec> => {
    return { key: onionKey(onion.service), spec: { type: 'onion', ...onion }, neededBy: [onion.service] };
  });
  const leaving = all.filter(({ egress }) => egress === 'tor').map(({ name }) => name);
  const wayOut = leaving.length === 0 ? {} : ({ isWayOut: true } as const);
  const torrc = { source: network.tor, pool: network.pool, onions, ...wayOut };
  const process: Resource<Spec> = {
    key: PROCESS_KEY,
    spec: { type: 'process', torrc },
    neededBy: [...new Set([...onions.map(({ service }) => service), ...leaving])].sort(),
  };
  return {
    resources: onions.length === 0 && leaving.length === 0 ? [] : [...files, process],
    // A host's or another machine's service is not behind the hub: tor dials it directly.
    wants: services
      .filter(({ place }) => place.type === 'namespace' || place.type === 'entered')
      .map(({ name }) => ({ part: 'namespaces', from: 'tor', service: name })),
    problems: [],
    ledger,
  };
}

function onionOf(
  { service, options }: Exposure<Options>,
  authorization: Authorization | undefined,
): OnionSpec {
  return {
    service: service.name,
    virtualPort: virtualPortOf(service),
    target: { ...service.dial },
    proofOfWork: options.proofOfWork === 'on',
    ...(authorization === undefined ? {} : { authorization }),
  };
}
