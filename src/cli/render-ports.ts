import { canarySentence } from '../core/canary.ts';
import type { MappingReport, PortsReport, RouterLine } from '../core/mapper.ts';
import { formatEndpoint } from '../core/inet.ts';
import { PROTOCOL_NAMES } from '../core/mapping.ts';
import { table } from './table.ts';
import { plain } from './terminal.ts';
import { timeOf } from './time.ts';

type Mapping = PortsReport['mappings'][number];

/** Is every port open as it should be? */
export function isWell({ mappings }: PortsReport): boolean {
  return mappings.every(({ state, problem }) => state === 'held' && problem === null);
}

/** Pure: the time comes from outside. */
export function renderPorts({ mappings, router, table: lines, canary }: PortsReport, now: number): string {
  const none = 'No port is needed in the router: no service is exposed over WireGuard with mapping: auto.';
  const ours =
    mappings.length === 0
      ? [none]
      : table(
          ['PORT', 'STATE', 'OUTSIDE', 'ROUTER', 'BY', 'LEASE LEFT', 'PROVED'],
          mappings.flatMap((mapping) => [
            rowOf(mapping, now),
            ...(mapping.through ?? []).map((farther) => routerRow('  through', farther, now)),
            ...(mapping.pinhole === undefined ? [] : [routerRow('  IPv6', mapping.pinhole, now)]),
          ]),
        );
  const notes = mappings.flatMap(({ problem, hint }) => [
    ...(problem === null ? [] : [`! ${plain(problem)}`]),
    ...(hint === null ? [] : [`  next: ${plain(hint)}`]),
  ]);
  const tried = canary === null ? [] : [`${timeOf(canary.at, now)}: ${plain(canarySentence(canary))}`];
  return [...ours, ...notes, ...tried, ...tableLines(router, lines)].join('\n');
}

function rowOf(mapping: Mapping, now: number): string[] {
  const { state, router, protocol, provedAt } = mapping;
  return [
    nameOf(mapping),
    state,
    outsideOf(mapping),
    router ?? '–',
    protocol === null ? '–' : PROTOCOL_NAMES[protocol],
    state === 'held' ? leftOf(mapping.expiresAt, now) : '–',
    provedAt === null ? 'not yet' : timeOf(provedAt, now),
  ];
}

/** What a router farther out gave for it, or the IPv6 firewall of ours. */
function routerRow(name: string, report: Omit<MappingReport, 'through' | 'pinhole'>, now: number): string[] {
  const { state, router, protocol, expiresAt, externalAddress: host, externalPort: port } = report;
  return [
    name,
    state,
    port === null ? '–' : host === null ? `?:${port}` : formatEndpoint({ host, port }),
    router ?? '–',
    protocol === null ? '–' : PROTOCOL_NAMES[protocol],
    state === 'held' ? leftOf(expiresAt, now) : '–',
    '',
  ];
}

function nameOf({ transport, port }: MappingReport): string {
  return `${transport.toUpperCase()} ${port}`;
}

function outsideOf({ externalAddress, externalPort }: MappingReport): string {
  return externalPort === null ? '–' : `${externalAddress ?? '?'}:${externalPort}`;
}

function leftOf(expiresAt: string | null, now: number): string {
  return expiresAt === null ? 'no end' : lengthOf((Date.parse(expiresAt) - now) / 1000);
}

function lengthOf(seconds: number): string {
  if (seconds <= 0) return 'over';
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** What a router says of others is foreign text. */
function tableLines(router: string | null, lines: readonly RouterLine[] | null): string[] {
  if (router === null) return ['', 'This machine has no router (no default route).'];
  if (lines === null) return ['', `The router ${router} cannot be asked what others have mapped.`];
  if (lines.length === 0) return ['', `The router ${router} lists no mapping.`];
  const rows = lines.map((line) => [
    `${line.transport.toUpperCase()} ${line.externalPort}`,
    plain(`${line.internalAddress}:${line.internalPort}`),
    line.lifetimeSeconds === 0 ? 'no end' : lengthOf(line.lifetimeSeconds),
    line.isOurs ? 'this gateway' : plain(line.description) || '–',
  ]);
  return ['', `The router ${router} lists:`, ...table(['OUTSIDE', 'LEADS TO', 'LEFT', 'BY'], rows)];
}
