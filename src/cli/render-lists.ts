import type { Generation, NameReport, PlanReport, UpReport } from '../core/control.ts';
import type { JournalEvent } from '../core/events.ts';
import type { AddressStatus, DeviceStatus, RelayStatus, ServiceStatus } from '../core/status.ts';
import { EXIT } from './command.ts';
import { NO_SERVICES, reachersOf } from './render.ts';
import { table } from './table.ts';
import { plain } from './terminal.ts';
import { timeOf } from './time.ts';

/** Lists and reports for people. Pure: the time comes from outside. */

export function renderServices(services: readonly ServiceStatus[]): string {
  if (services.length === 0) return NO_SERVICES.join('\n');
  return table(
    ['SERVICE', 'KIND', 'PRIVACY', 'ADDRESS', 'ISOLATED', 'WAYS'],
    services.map(({ name, kind, privacy, address, port, isolated, ways }) => [
      name,
      kind,
      privacy,
      `${address}:${port}`,
      isolated ? 'yes' : 'no',
      ways.length === 0 ? '–' : ways.map((way) => way.provider).join(', '),
    ]),
  ).join('\n');
}

export function renderDevices(devices: readonly DeviceStatus[], now: number): string {
  if (devices.length === 0) return 'No devices yet.\nnext: gateway device add NAME --service SERVICE';
  return table(
    ['DEVICE', 'REACHES', 'REACHED BY', 'KEYS', 'WALLETS', 'ADDRESS', 'LAST HANDSHAKE', 'FROM', 'UNTIL'],
    devices.map((device) => [
      device.name,
      [...device.services, ...device.rights].join(', ') || '–',
      reachersOf(device) || '–',
      keysOf(device),
      device.wallets.map(({ service, rights }) => `${service} (${rights})`).join(', ') || '–',
      device.address ?? '–',
      handshakeOf(device, now),
      plain(device.endpoint ?? '–'),
      device.expiresAt?.slice(0, 16).replace('T', ' ') ?? '–',
    ]),
  ).join('\n');
}

export function renderAddress({ addresses, differ, nat }: AddressStatus, isNatAsked: boolean): string {
  const lines =
    addresses.length === 0
      ? [
          'Nobody knows at which public address this home is.',
          'next: join a relay, or name STUN servers in gateway.yaml',
        ]
      : table(
          ['ADDRESS', 'SAID BY'],
          addresses.map((one) => [plain(one.address), one.source]),
        );
  const remarks = [
    ...(differ ? ['! they differ: another NAT stands outside the router, or this home has two lines'] : []),
    ...(isNatAsked && nat === null ? ['! no relay could be asked how the NATs behave'] : []),
  ];
  if (nat === null) return [...lines, ...remarks].join('\n');
  const kept = nat.isPortKept ? 'the port is kept' : 'the port is changed';
  return [
    ...lines,
    ...remarks,
    `NAT to ${nat.relay}: mapping ${nat.mapping}, filtering ${nat.filtering}, ${kept}`,
  ].join('\n');
}

export function renderRelays(relays: readonly RelayStatus[]): string {
  if (relays.length === 0) {
    return 'No relays yet.\nnext: gateway relay up on a machine outside, then gateway relay join INVITE here';
  }
  const lines = table(
    ['RELAY', 'STATE', 'ADDRESS', 'DIALS FROM', 'SEES THIS GATEWAY AT', 'VERSION'],
    relays.map(({ name, state, address, addresses, observed, version }) => [
      name,
      state,
      plain(address),
      plain(addresses.join(', ')) || '–',
      plain(observed ?? '–'),
      plain(version ?? '–'),
    ]),
  );
  const tunnels = relays.flatMap(({ name, tunnel }) => (tunnel === null ? [] : [{ name, ...tunnel }]));
  if (tunnels.length > 0) lines.push('', ...tunnelTable(tunnels));
  const troubles = relays.filter(({ message }) => message !== '');
  return [...lines, ...troubles.map(({ name, message }) => `! ${name}: ${plain(message)}`)].join('\n');
}

function keysOf({ publicKey, onionKey, certificate }: DeviceStatus): string {
  const keys = [
    ...(publicKey === null ? [] : ['wireguard']),
    ...(onionKey === null ? [] : ['onion']),
    ...(certificate === null ? [] : ['certificate']),
  ];
  return keys.join(', ') || '–';
}

/** Nobody counts the visits over Tor: only WireGuard has handshakes. */
function handshakeOf({ publicKey, latestHandshake }: DeviceStatus, now: number): string {
  if (publicKey === null) return '–';
  return latestHandshake === null ? 'never' : timeOf(latestHandshake, now);
}

export function renderNames(names: readonly NameReport[]): string {
  if (names.length === 0) return 'No names yet.\nnext: gateway name set NAME --at HOST --credential FILE';
  const lines = table(
    ['NAME', 'HOST', 'ADDRESS', 'SINCE'],
    names.map(({ name, wildcard, host, addresses, publishedAt }) => [
      wildcard ? `${name} and below` : name,
      host,
      addresses.join(', ') || '–',
      publishedAt?.slice(0, 16).replace('T', ' ') ?? '–',
    ]),
  );
  const troubles = names.flatMap(({ name, trouble }) =>
    trouble === null ? [] : [`! ${name}: ${plain(trouble)}`],
  );
  return [...lines, ...troubles].join('\n');
}

export function renderPlan(report: PlanReport): string {
  const changes =
    report.changes.length === 0
      ? ['Nothing to change.']
      : report.changes.map((change) => `- ${plain(change)}`);
  const notices = report.notices.map((notice) => `! ${plain(notice)}`);
  return [...changes, ...problemLines(report), ...notices].join('\n');
}

export function renderUp(report: UpReport): string {
  const count = report.changes.length;
  const done = count === 0 ? 'nothing had to change' : `${count} ${count === 1 ? 'change' : 'changes'}`;
  return [
    `Generation ${report.generation} is applied: ${done}.`,
    ...report.failed.flatMap((failure) => [
      `failed: ${plain(failure.change)}`,
      ...wordsOf(failure),
      '  it is tried again; see gateway status',
    ]),
    ...problemLines(report),
    ...report.notices.map((notice) => `! ${plain(notice)}`),
  ].join('\n');
}

/** 1 when something failed or cannot be as the file says. */
export function exitCodeOfReport(report: PlanReport & Partial<UpReport>): number {
  return report.problems.length + (report.failed?.length ?? 0) > 0 ? EXIT.warnings : EXIT.ok;
}

function problemLines(report: PlanReport): string[] {
  return report.problems.flatMap((problem) => [`problem: ${problem.service}`, ...wordsOf(problem)]);
}

function wordsOf(failure: { code: string; message: string; hint?: string | undefined }): string[] {
  return [
    `  ${failure.code}: ${plain(failure.message)}`,
    ...(failure.hint === undefined ? [] : [`  next: ${plain(failure.hint)}`]),
  ];
}

export function renderEvent(event: JournalEvent): string {
  return `${event.at.slice(0, 19).replace('T', ' ')} UTC  ${event.type.padEnd(18)}  ${plain(event.message)}`;
}

export function renderGenerations(generations: readonly Generation[], now: number): string {
  if (generations.length === 0) return 'Nothing was applied yet.\nnext: gateway up';
  return table(
    ['GENERATION', 'APPLIED', 'PROGRAMMED', ''],
    generations.map(({ number, appliedAt, programmed, current }) => [
      String(number),
      timeOf(appliedAt, now),
      programmed ? 'yes' : 'no',
      current ? 'current' : '',
    ]),
  ).join('\n');
}

function tunnelTable(
  tunnels: readonly ({ readonly name: string } & NonNullable<RelayStatus['tunnel']>)[],
): string[] {
  return table(
    ['TUNNEL TO', 'STATE', 'BY UDP', 'LAST HANDSHAKE', 'IN', 'OUT', 'NAMES', 'PORTS'],
    tunnels.map((one) => [
      one.name,
      one.state,
      plain(one.endpoint ?? '–'),
      one.handshakeAgeSeconds === null ? 'never' : `${one.handshakeAgeSeconds} s ago`,
      bytesText(one.receivedBytes),
      bytesText(one.sentBytes),
      String(one.names),
      String(one.ports),
    ]),
  );
}

function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes === 0 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ''}`;
}
