import type { Compiled, CompileInput, Exposure, Resource, Want } from '../../src/core/contract.ts';
import type { OnionSpec } from '../../src/core/operations.ts';
import type { Network } from '../../src/core/service.ts';
import { TOR_INSTANCES, torInstanceOf, type TorInstance } from '../../src/core/tor-instance.ts';
import { authorize, type Authorization } from './authorization.ts';
import { anonymityProblem } from './anonymity.ts';
import {
  instanceOf,
  isWeb,
  onionKey,
  processKey,
  virtualPortOf,
  type Options,
  type Settings,
  type Spec,
} from './spec.ts';

/**
 * Each onion's files are a resource of their own, so that a damaged key fails alone. The process is one resource that
 * names them all and comes after them: however many onions change, tor loads its torrc once.
 */
export function compile(input: CompileInput<Options, Settings>): Compiled<Spec> {
  const { network, services: all } = input;
  const problems = input.exposures.flatMap((exposure) => anonymityProblem(exposure) ?? []);
  const exposures = input.exposures.filter((exposure) => anonymityProblem(exposure) === undefined);
  // Also for one that is held back: allowed again, it knows whom it let in before.
  const { byService, ledger } = authorize(input);
  const sorted = [...exposures].sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  const leavingBy = (instance: TorInstance): string[] =>
    all
      .filter((service) => service.egress === 'tor' && torInstanceOf(service) === instance)
      .map(({ name }) => name);
  const singleHop = sorted
    .filter((exposure) => instanceOf(exposure) === 'single-hop')
    .map(({ service }) => service.name);
  const onionsOf = (instance: TorInstance): OnionSpec[] =>
    sorted
      .filter((exposure) => instanceOf(exposure) === instance)
      .map((exposure) => onionOf(exposure, byService.get(exposure.service.name)));
  return {
    resources: TOR_INSTANCES.flatMap((instance) =>
      resourcesOf(
        instance,
        onionsOf(instance),
        { leaving: leavingBy(instance), visited: instance === 'tor' ? singleHop : [] },
        network,
      ),
    ),
    wants: sorted.flatMap(wantsFor),
    problems,
    ledger,
  };
}

/**
 * A host's or another machine's service is not behind the hub: it is dialled directly. tor dials a page itself where
 * HAProxy is not installed.
 */
function wantsFor(exposure: Exposure<Options>): Want[] {
  const { name: service, place } = exposure.service;
  const isBehindHub = place.type === 'namespace' || place.type === 'entered';
  const from = isWeb(exposure.service) ? (['tor', 'edge'] as const) : (['tor'] as const);
  return [
    ...(isBehindHub ? from.map((each) => ({ part: 'namespaces', from: each, service }) as const) : []),
    ...(isWeb(exposure.service)
      ? [{ part: 'edge', type: 'onion', service, instance: instanceOf(exposure) } as const]
      : []),
  ];
}

/** `leaving`: services whose way out this process is; `visited`: those that only it can visit. */
function resourcesOf(
  instance: TorInstance,
  onions: readonly OnionSpec[],
  { leaving, visited }: { readonly leaving: readonly string[]; readonly visited: readonly string[] },
  { tor: source, pool }: Network,
): Resource<Spec>[] {
  const services = [...onions.map(({ service }) => service), ...leaving, ...visited];
  if (services.length === 0) return [];
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
  const neededBy = [...new Set(services)].sort();
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
    ...(isWeb(service) ? { through: 'edge' as const } : {}),
    ...(authorization === undefined ? {} : { authorization }),
  };
}
