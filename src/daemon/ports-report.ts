import type { Provider } from '../core/contract.ts';
import { portKey, type PortsReport, type PortSpec } from '../core/mapper.ts';
import type { Ports } from '../core/ports.ts';
import type { CanaryWatch } from './canary.ts';
import type { Engine } from '../engine/engine.ts';

export interface PortsReportOptions {
  readonly engine: Engine;
  readonly ports: Ports;
  readonly providers: readonly Provider[];
  readonly canary: Pick<CanaryWatch, 'report'>;
}

/** What the router says, and beside it what was proved: the first is never the second. */
export async function reportPorts(options: PortsReportOptions, signal: AbortSignal): Promise<PortsReport> {
  const { mapper } = options.ports;
  const [kept, look, through] = await Promise.all([mapper.kept(), mapper.look(signal), mapper.through()]);
  const mappings = kept.map(({ spec, report }) => ({ ...report, provedAt: provedAt(spec, options) }));
  const hops = (through?.hops ?? []).map(({ router }) => router);
  return { ...look, through: hops, mappings, canary: options.canary.report() };
}

function provedAt(spec: PortSpec, { engine, providers }: PortsReportOptions): string | null {
  const resources = engine.desired?.resources.get('ports') ?? [];
  const services = resources.find(({ key }) => key === `mapping:${portKey(spec)}`)?.neededBy ?? [];
  const ways = providers.filter(({ capabilities }) => capabilities.needsOpenPort);
  const proofs = services.flatMap((service) =>
    ways.flatMap(({ id }) => {
      const { byRelay, provedAt: at = [] } = engine.health.latest(`${service}/${id}`) ?? {};
      return byRelay === undefined ? at : [];
    }),
  );
  return proofs.sort().at(-1) ?? null;
}
