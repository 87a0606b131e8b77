import type { Transport } from '../core/mapping.ts';
import { isIpv6, parseIpv4 } from '../core/inet.ts';
import { printable } from './igd-description.ts';
import type { SoapArguments } from './igd.ts';

/** Arguments and replies of WANIPConnection, WANPPPConnection and WANIPv6FirewallControl that we use. Pure. */
/** One line of a router's table. */
export interface IgdEntry {
  readonly transport: Transport;
  readonly externalPort: number;
  readonly internalPort: number;
  /** Whom it forwards to. */
  readonly internalClient: string;
  readonly isEnabled: boolean;
  readonly description: string;
  /** Rest of the lease in seconds; 0: without an end. `undefined` when the router does not say. */
  readonly leaseSeconds: number | undefined;
}

export interface AskedMapping {
  readonly transport: Transport;
  /** Never 0, which means every port at once (WANIPConnection:1, 2.2.17). */
  readonly externalPort: number;
  readonly internalPort: number;
  readonly internalClient: string;
  readonly description: string;
  readonly leaseSeconds: number;
}

type Values = ReadonlyMap<string, string>;

/** AddPortMapping and AddAnyPortMapping take the same. */
export function addArguments(asked: AskedMapping): SoapArguments {
  return [
    ...whichArguments(asked),
    ['NewInternalPort', asked.internalPort],
    ['NewInternalClient', asked.internalClient],
    ['NewEnabled', 1],
    ['NewPortMappingDescription', asked.description],
    ['NewLeaseDuration', asked.leaseSeconds],
  ];
}

/** The protocol in capitals: a TP-Link ER605 knows no other (tailscale #7377). */
export function whichArguments(which: Pick<AskedMapping, 'transport' | 'externalPort'>): SoapArguments {
  return [
    ['NewRemoteHost', ''],
    ['NewExternalPort', which.externalPort],
    ['NewProtocol', which.transport.toUpperCase()],
  ];
}

/** Reply of GetGenericPortMappingEntry. */
export function parseEntry(values: Values): IgdEntry | undefined {
  const transport = values.get('NewProtocol')?.toLowerCase();
  const externalPort = parsePort(values.get('NewExternalPort'));
  if ((transport !== 'tcp' && transport !== 'udp') || externalPort === undefined) return undefined;
  return parseSpecificEntry(values, { transport, externalPort });
}

/** Reply of GetSpecificPortMappingEntry, which does not repeat what was asked for. */
export function parseSpecificEntry(
  values: Values,
  which: Pick<AskedMapping, 'transport' | 'externalPort'>,
): IgdEntry | undefined {
  const internalPort = parsePort(values.get('NewInternalPort'));
  const internalClient = values.get('NewInternalClient') ?? '';
  if (internalPort === undefined || parseIpv4(internalClient) === undefined) return undefined;
  return {
    transport: which.transport,
    externalPort: which.externalPort,
    internalPort,
    internalClient,
    isEnabled: !/^(0|false|no)$/i.test(values.get('NewEnabled') ?? '1'),
    description: printable(values.get('NewPortMappingDescription') ?? ''),
    leaseSeconds: parseCount(values.get('NewLeaseDuration')),
  };
}

/** Reply of AddAnyPortMapping: the port that the router chose. */
export function parseReservedPort(values: Values): number | undefined {
  return parsePort(values.get('NewReservedPort'));
}

/** Reply of GetExternalIPAddress; `undefined` when it is no address. Whether it is a public one is another question. */
export function parseExternalAddress(values: Values): string | undefined {
  const address = values.get('NewExternalIPAddress') ?? '';
  return parseIpv4(address) === undefined ? undefined : address;
}

export interface ConnectionStatus {
  /** 'Connected'; some write 'Up'. */
  readonly isConnected: boolean;
  /** Seconds since the connection, or the router, started; smaller than before: it restarted. */
  readonly uptimeSeconds: number | undefined;
}

/** Reply of GetStatusInfo. */
export function parseStatus(values: Values): ConnectionStatus {
  return {
    isConnected: /^(connected|up)$/i.test(values.get('NewConnectionStatus') ?? ''),
    uptimeSeconds: parseCount(values.get('NewUptime')),
  };
}

/** Reply of GetConnectionTypeInfo: an unconfigured or bridged connection forwards nothing. */
export function parseConnectionType(values: Values): 'routed' | 'bridged' | 'unknown' {
  const type = values.get('NewConnectionType') ?? '';
  if (/_Bridged$/i.test(type)) return 'bridged';
  return /_Routed$/i.test(type) ? 'routed' : 'unknown';
}

/** IANA's numbers, as a pinhole wants its protocol. */
const PROTOCOL_NUMBERS: Readonly<Record<Transport, number>> = { tcp: 6, udp: 17 };

export interface AskedPinhole {
  readonly transport: Transport;
  /** Ours, IPv6. */
  readonly internalClient: string;
  readonly internalPort: number;
  /** 1 to 86400: a pinhole always ends (WANIPv6FirewallControl:1, 2.4.2). */
  readonly leaseSeconds: number;
}

/** Remote host empty and port 0: whoever comes. */
export function pinholeArguments(asked: AskedPinhole): SoapArguments {
  return [
    ['RemoteHost', ''],
    ['RemotePort', 0],
    ['InternalClient', asked.internalClient],
    ['InternalPort', asked.internalPort],
    ['Protocol', PROTOCOL_NUMBERS[asked.transport]],
    ['LeaseTime', asked.leaseSeconds],
  ];
}

/** Reply of AddPinhole: its number, with which it is renewed and closed. */
export function parsePinholeId(values: Values): number | undefined {
  return parsePort(values.get('UniqueID'), 0);
}

/** Reply of GetFirewallStatus. */
export function parseFirewallStatus(values: Values): {
  readonly isFirewallOn: boolean | undefined;
  readonly allowsPinholes: boolean | undefined;
} {
  return {
    isFirewallOn: parseBoolean(values.get('FirewallEnabled')),
    allowsPinholes: parseBoolean(values.get('InboundPinholeAllowed')),
  };
}

/** Reply of CheckPinholeWorking: has it seen a packet pass? */
export function parseIsWorking(values: Values): boolean | undefined {
  return parseBoolean(values.get('IsWorking'));
}

/** An IPv6 address that a pinhole can be opened to. */
export function isPinholeClient(address: string): boolean {
  return isIpv6(address) && /^[23]/.test(address);
}

function parseBoolean(text: string | undefined): boolean | undefined {
  if (/^(1|true|yes)$/i.test(text ?? '')) return true;
  return /^(0|false|no)$/i.test(text ?? '') ? false : undefined;
}

function parsePort(text: string | undefined, least = 1): number | undefined {
  const value = /^\d{1,5}$/.test(text ?? '') ? Number(text) : -1;
  return value >= least && value <= 65_535 ? value : undefined;
}

function parseCount(text: string | undefined): number | undefined {
  return /^\d{1,10}$/.test(text ?? '') ? Number(text) : undefined;
}
