import type { Flow } from './operations.ts';

/** One order and no doubles, so that two lists of the same flows are equal. */
export function sortFlows(flows: readonly Flow[]): Flow[] {
  const byText = new Map(flows.map((flow) => [textOf(flow), flow]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, flow]) => flow);
}

/** `host 10.64.0.3 > 10.64.1.2:80/tcp` */
export function textOf(flow: Flow): string {
  return `${flow.via} ${flow.source} > ${flow.address}:${flow.port}/${flow.protocol}`;
}
