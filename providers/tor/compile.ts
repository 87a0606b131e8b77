import type { Compiled, CompileInput, Exposure, Resource } from '../../src/core/contract.ts';
import type { OnionSpec } from '../../src/core/operations.ts';
import type { Network } from '../../src/core/service.ts';
import { TOR_INSTANCES, torInstanceOf, type TorInstance } from '../../src/core/tor-instance.ts';
import { authorize, type Authorization } from './authorization.ts';
import { onionKey, processKey, virtualPortOf, type Options, type Settings, type Spec } from './spec.ts';

/**
 * Each onion's files are a resource of their own, so that a damaged key fails alone. The process is one resource that
 * names them all and comes after them: however many onions change, tor loads its torrc once.
 */
export function compile(input: CompileInput<Options, Settings>): Compiled<Spec> {
  const { network, services: all, exposures } = input;
  const { byService, ledger } = authorize(input);
  const sorted = [...exposures].sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  const services = sorted.map(({ service }) => service);
  const leavingBy = (instance: TorInstance): string[] =>
    all
      .filter((service) => service.egress === 'tor' && torInstanceOf(service) === instance)
      .map(({ name }) => name);
  const onionsOf = (instance: TorInstance): OnionSpec[] =>
    sorted
      .filter(({ service }) => torInstanceOf(service) === instance)
      .map((exposure) => onionOf(exposure, byService.get(exposure.service.name)));
  return {
    resources: TOR_INSTANCES.flatMap((instance) =>
      resourcesOf(instance, onionsOf(instance), leavingBy(instance), network),
    ),
    // A host's or another machine's service is not behind the hub: tor dials it directly.
    wants: services
      .filter(({ place }) => place.type === 'namespace' || place.type === 'entered')
      .map(({ name }) => ({ part: 'namespaces', from: 'tor', service: name })),
    problems: [],
    ledger,
  };
}

/** `leaving`: services whose way out this process is. */
function resourcesOf(
  instance: TorInstance,
  onions: readonly OnionSpec[],
  leaving: readonly string[],
  { tor: source, pool }: Network,
): Resource<Spec>[] {
  if (onions.length === 0 && leaving.length === 0) return [];
  const files = onions.map((onion): Resource<Spec> => {
    const { service } = onion;
    return {
      key: onionKey(service, instance),
      spec: { type: 'onion', instance, ...onion },
      neededBy: [service],
    };
  });
  const wayOut = leaving.length === 0 ? {} : ({ isWayOut: true } as const);
  const torrc = { source, pool, onions: [...onions], ...wayOut };
  const neededBy = [...new Set([...onions.map(({ service }) => service), ...leaving])].sort();
  return [...files, { key: processKey(instance), spec: { type: 'process', instance, torrc }, neededBy }];
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
