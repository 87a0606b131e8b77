import type { Change, Context, Fact, Observed, Part } from '../../core/contract.ts';
import { portKey, type MappingReport } from '../../core/mapper.ts';
import { nameOf } from '../../core/mapping-lease.ts';
import { compile, type Spec } from './compile.ts';

/**
 * Owner of the ports that are open in the router. A router that refuses is no failed change: the mapper goes on asking,
 * and the facts say what it has.
 */
export const portsPart: Part<Spec> = {
  id: 'ports',
  kinds: ['mapping'],
  compile,
  observe,
  apply,
  describe,
  // The mapper is the daemon's; leases outlive both.
  close: async () => {},
};

async function observe({ ports }: Context): Promise<Observed<Spec>[]> {
  const kept = await ports.mapper.kept();
  return kept.map(({ spec, report }) => ({
    key: `mapping:${portKey(spec)}`,
    spec,
    facts: factsOf(report),
  }));
}

function factsOf(report: MappingReport): Record<string, Fact> {
  const { state, protocol, router, externalAddress, externalPort, expiresAt, problem } = report;
  const facts = { state, protocol, router, externalAddress, externalPort, expiresAt, problem };
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

async function apply(change: Change<Spec>, { ports, signal }: Context): Promise<void> {
  if (change.op === 'delete') await ports.mapper.release(change.have.spec, signal);
  else await ports.mapper.keep(change.want.spec, signal);
}

function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return `close ${nameOf(change.have.spec)} in the router`;
  return `have the router open ${nameOf(change.want.spec)}`;
}
