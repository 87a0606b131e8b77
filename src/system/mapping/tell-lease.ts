import { portKey } from '../../core/mapper.ts';
import type { PortState, Trouble } from '../../core/mapping-lease.ts';
import { nameOf } from '../../core/mapping-lease.ts';
import { isMoved, movedSentenceOf, sentenceOf, summaryOf } from '../../core/mapping-report.ts';
import type { PortMapperOptions } from './mapper-options.ts';

type Record = PortMapperOptions['record'];

/** Events about what a router gave: a renewal alone is none. */
export function tellGiven(record: Record, before: PortState, after: PortState, now: number): void {
  const lease = after.held?.lease;
  if (lease === undefined) return;
  const port = portKey(after.spec);
  const { protocol, router, externalPort } = lease;
  if (before.held === undefined || summaryOf(before) !== summaryOf(after)) {
    const closedSeconds =
      before.closedAt === undefined ? undefined : Math.max(Math.round((now - before.closedAt) / 1000), 0);
    const closed = (closedSeconds ?? 0) === 0 ? '' : `; it was closed for ${closedSeconds} s`;
    const data = { port, protocol, router, ...(closedSeconds === undefined ? {} : { closedSeconds }) };
    record('mapping.made', `${sentenceOf(after)}${closed}`, data);
  }
  if (isMoved(after) && externalPort !== before.last?.externalPort) {
    record('mapping.moved', movedSentenceOf(after), { port, externalPort });
  }
}

/** The first of several refusals in a row. */
export function tellRefused(record: Record, before: PortState, trouble: Trouble): void {
  if (before.failures !== 0 || before.held !== undefined) return;
  record('mapping.failed', `${nameOf(before.spec)} could not be mapped: ${trouble.message}`, {
    port: portKey(before.spec),
  });
}
