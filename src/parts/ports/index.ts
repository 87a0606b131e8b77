import type { Change, Context, Fact, Observed, Part } from '../../core/contract.ts';
import { portKey, type MappingReport } from '../../core/mapper.ts';
import { nameOf } from '../../core/mapping-lease.ts';
import { compile, type Spec } from './compile.ts';
import { movedPorts } from './local-port.ts';

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

async function observe(context: Context): Promise<Observed<Spec>[]> {
  const kept = await context.ports.mapper.kept();
  const moved = kept.some(({ spec }) => spec.transport === 'tcp') ? await movedPorts(context) : NOT_MOVED;
  return kept.map(({ spec: real, report }) => {
    const spec = { ...real, port: askedPort(real, moved) };
    const target = realPort(spec, moved);
    const renew =
      target === real.port ? {} : { renew: `its visitors arrive at port ${target} of this machine` };
    const facts = { ...factsOf(report), ...(real.port === spec.port ? {} : { localPort: real.port }) };
    return { key: `mapping:${portKey(spec)}`, spec, facts, ...renew };
  });
}

const NOT_MOVED: ReadonlyMap<number, number> = new Map();

function realPort({ transport, port }: Spec, moved: ReadonlyMap<number, number>): number {
  return transport === 'tcp' ? (moved.get(port) ?? port) : port;
}

function askedPort({ transport, port }: Spec, moved: ReadonlyMap<number, number>): number {
  const found = [...moved].find(([, real]) => real === port);
  return transport === 'tcp' ? (found?.[0] ?? port) : port;
}

function factsOf(report: MappingReport): Record<string, Fact> {
  const { state, protocol, router, externalAddress, externalPort, expiresAt, problem } = report;
  const facts = { state, protocol, router, externalAddress, externalPort, expiresAt, problem };
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

async function apply(change: Change<Spec>, context: Context): Promise<void> {
  const { ports, signal } = context;
  const before = change.op === 'create' ? undefined : keptSpec(change.have);
  if (change.op === 'delete') return ports.mapper.release(before ?? change.have.spec, signal);
  const { spec } = change.want;
  const moved = spec.transport === 'tcp' ? await movedPorts(context) : NOT_MOVED;
  const port = realPort(spec, moved);
  if (before !== undefined && before.port !== port) await ports.mapper.release(before, signal);
  await ports.mapper.keep({ ...spec, port }, signal);
}

/** As the mapper knows it. */
function keptSpec({ spec, facts }: Observed<Spec>): Spec {
  const { localPort } = facts;
  return typeof localPort === 'number' ? { ...spec, port: localPort } : spec;
}

function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return `close ${nameOf(change.have.spec)} in the router`;
  return `have the router open ${nameOf(change.want.spec)}`;
}
