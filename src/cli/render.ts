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

const COLOUR_OF: Readonly<Record<Way['reachable'], Colour>> = { no: 'red', unknown: 'yellow', yes: 'green' };
export const NO_SERVICES = ['No services yet.', 'next: gateway service add NAME --port PORT'] as const;
const HEADER = ['SERVICE', 'STATE', 'IN USE', 'VANTAGE', 'PROVED', 'ADDRESS'] as const;

/**
 * A line for each service, worst first: the way in use, below it what is wrong with that, then every other way. An address
 * that does not fit stands on the next line, whole, so that it can be copied.
 */
export function renderStatus(status: Status, view: View): string {
  if (status.isDown) {
    const words = ['The gateway is down: every way in is closed.', 'next: gateway up'];
    return [...words, ...noticesOf(status, view)].join('\n');
  }
  if (status.services.length === 0) return [...NO_SERVICES, ...noticesOf(status, view)].join('\n');
  const services = [...status.services].sort((a, b) => rankOf(a) - rankOf(b));
  return [...serviceLines(services, view), ...deviceLines(status.devices), ...noticesOf(status, view)].join(
    '\n',
  );
}

/** Worst first. */
const STATES = ['down', 'rejected', 'fallback', 'degraded', 'pending', 'up', '–'] as const;
type State = (typeof STATES)[number];
const COLOUR_OF_STATE: Readonly<Partial<Record<State, Colour>>> = {
  down: 'red',
  rejected: 'red',
  fallback: 'yellow',
  degraded: 'yellow',
  pending: 'yellow',
  up: 'green',
};

function stateOf({ ways, fallback, phase }: ServiceStatus): State {
  if (ways.length === 0) return '–';
  const isProved = ways.some((way) => way.provider === fallback?.way && way.reachable === 'yes');
  if (isProved) return fallback?.isFallback === true ? 'fallback' : phase;
  // Another way was proved, but not the one that people are told.
  return phase === 'up' ? 'pending' : phase;
}

function rankOf(service: ServiceStatus): number {
  return STATES.indexOf(stateOf(service));
}

function wayInUse({ ways, fallback }: ServiceStatus): Way | undefined {
  return ways.find(({ provider }) => provider === fallback?.way) ?? ways[0];
}

function serviceLines(services: readonly ServiceStatus[], view: View): string[] {
  const cells = services.map((service) => {
    const way = wayInUse(service);
    return [service.name, stateOf(service), way?.provider ?? '–', ...proofOf(way, view)];
  });
  const lines = table(HEADER.slice(0, -1), cells);
  const width = Math.max(...lines.map((line) => line.length));
  const header = `${(lines[0] ?? '').padEnd(width)}  ${HEADER[5]}`;
  return [
    view.paint('bold', header),
    ...services.flatMap((service, index) => {
      const state = stateOf(service);
      const line = (lines[index + 1] ?? '').padEnd(width);
      const start = line.replace(` ${state} `, ` ${view.paint(COLOUR_OF_STATE[state] ?? 'dim', state)} `);
      return linesOf(start, service, view);
    }),
  ];
}

/** From where, and when. */
function proofOf(way: Way | undefined, { now }: View): [string, string] {
  const vantage = way === undefined || way.vantage === 'none' ? '–' : way.vantage;
  return [vantage, way?.provedAt == null ? '–' : timeOf(way.provedAt, now)];
}

function linesOf(start: string, service: ServiceStatus, view: View): string[] {
  const { paint } = view;
  const used = wayInUse(service);
  const { isolated, fallback, ways } = service;
  const remarks = [
    ...(fallback?.isFallback === true
      ? [`took over at ${timeOf(fallback.since, view.now)}; ${plain(fallback.why)}`]
      : []),
    ...(used === undefined || used.reachable === 'yes' ? [] : reasonsOf(used)),
    ...(isolated ? [] : [openness(service)]),
  ];
  const address = plain(used?.address ?? (used === undefined ? 'exposed nowhere' : 'none yet'));
  return [
    ...withAddress(start, address, view),
    ...remarks.map((remark) => paint('dim', `  ${remark}`)),
    ...ways.filter((way) => way !== used).flatMap((way) => otherLines(way, view)),
  ];
}

/** A way that is open as well, or why it is not. */
function otherLines(way: Way, view: View): string[] {
  const { paint } = view;
  const [vantage, proved] = proofOf(way, view);
  const said = paint(COLOUR_OF[way.reachable], way.reachable);
  const proof = way.reachable === 'yes' ? `  ${vantage}  ${proved}` : '';
  const address = plain(way.address ?? 'none yet');
  return [
    ...withAddress(`  ${way.provider}  ${said}${proof}`, address, view),
    ...(way.reachable === 'yes' ? [] : reasonsOf(way).map((reason) => paint('dim', `    ${reason}`))),
  ];
}

function withAddress(start: string, address: string, { columns }: View): string[] {
  const fits = stripVTControlCharacters(start).length + 2 + address.length <= columns;
  const indent = start.startsWith('  ') ? '    ' : '  ';
  return fits ? [`${start}  ${address}`] : [start.trimEnd(), `${indent}${address}`];
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
    ...status.services.flatMap(({ unlocked }) => (unlocked?.status === 'no' ? [unlocked.message] : [])),
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
  const isSilent = status.services.some(
    ({ listening, unlocked }) => listening.status === 'no' || unlocked?.status === 'no',
  );
  return status.fileDiffers || isSilent || status.notices.length > 0 ? EXIT.warnings : EXIT.ok;
}
