/**
 * The gateway's mapper on a host of a lab, step by step; prints what it keeps after each. What it holds outlives it, and
 * the next one with the same file carries on. Arguments: its file, and the steps as JSON.
 */
import { findHops } from '../../src/system/hops.ts';
import { createMapper } from '../../src/daemon/mapper.ts';
import type { MappingReport, PortSpec } from '../../src/core/mapper.ts';

export type MapperStep =
  | { readonly keep: PortSpec }
  | { readonly release: PortSpec }
  /** Looks for the routers farther out, and has them asked too. */
  | { readonly through: 'open' | 'close' };

/** What is kept after each step, and the events so far. */
export interface MapperSaid {
  readonly reports: readonly (readonly MappingReport[])[];
  readonly events: readonly string[];
}

const [file = '', steps = '[]'] = process.argv.slice(2);
const events: string[] = [];
const mapper = createMapper({
  file,
  log: () => undefined,
  record: (type, message) => void events.push(`${type} ${message}`),
  changed: () => undefined,
});
const reports: MappingReport[][] = [];
for (const step of JSON.parse(steps) as MapperStep[]) {
  const signal = AbortSignal.timeout(30_000);
  if ('keep' in step) await mapper.keep(step.keep, signal);
  else if ('release' in step) await mapper.release(step.release, signal);
  else if (step.through === 'close') await mapper.closeThrough(signal);
  else {
    const first = (await mapper.look(signal)).router ?? '';
    await mapper.openThrough({ first, hops: await findHops(signal) }, signal);
  }
  reports.push((await mapper.kept()).map(({ report }) => report));
}
await mapper.close();
process.stdout.write(JSON.stringify({ reports, events } satisfies MapperSaid));
