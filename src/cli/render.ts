import { stripVTControlCharacters } from 'node:util';
import type { DeviceStatus, ServiceStatus, Status, Way } from '../core/status.ts';
import { EXIT } from './command.ts';
import { type Colour, type Paint, table } from './table.ts';
import { plain } from './terminal.ts';
import { timeOf } from './time.ts';

/** `gateway status` for people. Pure: the time, the width and the colours come from outside. */
export interface View {
  readonly columns: number;
  readonly paint: Paint;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface Row {
  readonly service: ServiceStatus;
  readonly way: Way | undefined;
}

const RANK = { no: 0, unknown: 1, yes: 2 } as const;
const COLOUR_OF: Readonly<Record<keyof typeof RANK, Colour>> = { no: 'red', unknown: 'yellow', yes: 'green' };
export const NO_SERVICES = ['No services yet.', 'next: gateway service add NAME --port PORT'] as const;
const HEADER = ['SERVICE', 'WAY', 'REACHABLE', 'VANTAGE', 'PROVED', 'ADDRESS'] as const;

/** Worst first; an address that does not fit stands on the next line, whole, so that it can be copied. */
export function renderStatus(status: Status, view: View): string {
  if (status.isDown) {
    const words = ['The gateway is down: every way in is closed.', 'next: gateway up'];
    return [...words, ...noticesOf(status, view)].join('\n');
  }
  if (status.services.length === 0) return [...NO_SERVICES, ...noticesOf(status, view)].join('\n');
  const rows = status.services
    .flatMap((service): Row[] =>
      service.ways.length === 0
        ? [{ service, way: undefined }]
        : service.ways.map((way) => ({ service, way })),
    )
    .sort((a, b) => rankOf(a) - rankOf(b));
  return [...wayLines(rows, view), ...deviceLines(status.devices), ...noticesOf(status, view)].join('\n');
}

function rankOf({ way }: Row): number {
  return way === undefined ? RANK.yes + 1 : RANK[way.reachable];
}

function wayLines(rows: readonly Row[], { columns, paint, now }: View): string[] {
  const cells = rows.map(({ service, way }) => [
    service.name,
    way?.provider ?? '–',
    way?.reachable ?? '–',
    way === undefined || way.vantage === 'none' ? '–' : way.vantage,
    way?.provedAt == null ? '–' : timeOf(way.provedAt, now),
  ]);
  const lines = table(HEADER.slice(0, -1), cells);
  const width = Math.max(...lines.map((line) => line.length));
  const header = `${(lines[0] ?? '').padEnd(width)}  ${HEADER[5]}`;
  return [
    paint('bold', header),
    ...rows.flatMap((row, index) => {
      const start = colourReachable((lines[index + 1] ?? '').padEnd(width), row.way, paint);
      const isFirst = rows.findIndex(({ service }) => service === row.service) === index;
      return rowLines(start, row, isFirst, { columns, paint, now });
    }),
  ];
}

function colourReachable(line: string, way: Way | undefined, paint: Paint): string {
  if (way === undefined) return line;
  return line.replace(` ${way.reachable} `, ` ${paint(COLOUR_OF[way.reachable], way.reachable)} `);
}

function rowLines(
  start: string,
  { service, way }: Row,
  isFirst: boolean,
  { columns, paint }: View,
): string[] {
  const address = plain(way?.address ?? (way === undefined ? 'exposed nowhere' : 'none yet'));
  const fits = stripVTControlCharacters(start).length + 2 + address.length <= columns;
  const head = fits ? [`${start}  ${address}`] : [start.trimEnd(), `  ${address}`];
  const remarks = [
    ...(way === undefined || way.reachable === 'yes' ? [] : reasonsOf(way)),
    ...(isFirst && !service.isolated ? [openness(service)] : []),
  ];
  return [...head, ...remarks.map((remark) => paint('dim', `  ${remark}`))];
}

function openness({ entered }: ServiceStatus): string {
  if (entered === null) return 'not isolated: it has no network namespace of its own';
  return `not isolated: it is in the namespace of ${plain(entered)}, which the gateway entered and does not close`;
}

/** Why it is not green: the condition that stopped first. */
function reasonsOf(way: Way): string[] {
  const open = way.conditions.filter(({ status, message }) => status !== 'yes' && message !== '');
  const worst = open.find(({ status }) => status === 'no') ?? open[0];
  return worst === undefined ? [] : [plain(worst.message)];
}

/** A person reads so many; where there are more they are counted. */
const LISTED_DEVICES = 8;

function deviceLines(devices: readonly DeviceStatus[]): string[] {
  if (devices.length === 0) return [];
  const seen = devices.filter(({ latestHandshake }) => latestHandshake !== null).length;
  const listed = devices.length > LISTED_DEVICES ? [] : devices;
  return [
    '',
    `${devices.length} ${devices.length === 1 ? 'device' : 'devices'}, ${seen} seen; see gateway device list`,
    ...listed.map((device) => {
      const reachers = reachersOf(device);
      const back = reachers === '' ? '' : `; reached by ${reachers}`;
      return `  ${device.name} reaches ${device.services.join(', ') || 'nothing'}${back}`;
    }),
  ];
}

/** 'btcpay:8080' */
export function reachersOf({ reachedBy }: DeviceStatus): string {
  return reachedBy.map(({ service, port }) => `${service}:${port}`).join(', ');
}

function noticesOf(status: Status, { paint }: View): string[] {
  const notices = [
    ...(status.fileDiffers
      ? ['gateway.yaml differs from what is applied; see gateway plan, then gateway up']
      : []),
    ...status.services
      .filter(({ listening }) => listening.status === 'no')
      .map(({ name, listening }) => `${name}: ${listening.message}`),
    ...status.notices,
  ];
  return notices.length === 0 ? [] : ['', ...notices.map((notice) => paint('yellow', `! ${plain(notice)}`))];
}

/** 2: a way is unreachable, or all are closed by `gateway down`; 3: some way was not decided; 1: something needs attention. */
export function exitCodeOf(status: Status): number {
  const ways = status.services.flatMap((service) => service.ways);
  if (status.isDown) return EXIT.unreachable;
  if (ways.some((way) => way.reachable === 'no' || way.phase === 'rejected')) return EXIT.unreachable;
  if (ways.some((way) => way.reachable === 'unknown')) return EXIT.undecided;
  const isSilent = status.services.some(({ listening }) => listening.status === 'no');
  return status.fileDiffers || isSilent || status.notices.length > 0 ? EXIT.warnings : EXIT.ok;
}
