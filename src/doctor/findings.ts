import type { Severity } from './types.ts';

interface Entry {
  readonly severity: Severity;
  /** The command that shows whether it is mended. */
  readonly verify: string;
  /** Where one of these is found as well, it is what is really wrong, and this one is not shown. */
  readonly explainedBy?: readonly string[];
}

/** Nothing works without these, so nothing else is worth saying. */
const NO_LINE = ['ROUTE_NONE'];
/** Names, pages and whatever asks machines outside. */
const NO_OUTSIDE = [...NO_LINE, 'WEB_SIGN_IN', 'WEB_NONE'];
/** A port in the nearest router leads nowhere; nobody gets in by a port. */
const NO_MAPPING = ['NAT_CARRIER', 'NAT_DOUBLE', 'ROUTE_VPN'];
const NO_PORT = [...NO_MAPPING, 'FIREWALL_CLOSED'];
const NO_NAMES = [...NO_OUTSIDE, 'DNS_SILENT', 'DNS_WRONG'];

/**
 * Every code, the most fundamental first: of two that are equally bad the first is shown first. Codes are promised: they
 * are printed, documented (docs/reference/findings.md) and never renamed within a major version. What a finding says in
 * words is in messages/, under `CODE.title` and `CODE.seen`.
 */
export const FINDINGS = {
  DISK_READ_ONLY: { severity: 'error', verify: 'gateway doctor disk' },
  DISK_FULL: { severity: 'error', verify: 'gateway doctor disk' },
  DISK_LOW: { severity: 'warning', verify: 'gateway doctor disk' },
  ROUTE_NONE: { severity: 'error', verify: 'gateway doctor routes' },
  WEB_SIGN_IN: { severity: 'error', verify: 'gateway doctor web', explainedBy: NO_LINE },
  WEB_NONE: { severity: 'error', verify: 'gateway doctor web', explainedBy: NO_LINE },
  CLOCK_WRONG: { severity: 'error', verify: 'gateway doctor clock' },
  CLOCK_OFF: { severity: 'warning', verify: 'gateway doctor clock' },
  DNS_SILENT: { severity: 'error', verify: 'gateway doctor dns', explainedBy: NO_OUTSIDE },
  DNS_WRONG: { severity: 'error', verify: 'gateway doctor dns', explainedBy: NO_OUTSIDE },
  GATEWAY_STOPPED: {
    severity: 'error',
    verify: 'gateway status',
    explainedBy: ['DISK_FULL', 'DISK_READ_ONLY'],
  },
  GATEWAY_DOWN: { severity: 'error', verify: 'gateway status' },
  WAY_CLEARNET: {
    severity: 'error',
    verify: 'gateway status',
    explainedBy: [
      ...NO_OUTSIDE,
      ...NO_PORT,
      'PORT_NOT_OPENED',
      'PORT_OPENED_IN_VAIN',
      'CLOCK_WRONG',
      'GATEWAY_DOWN',
    ],
  },
  WAY_WIREGUARD: {
    severity: 'error',
    verify: 'gateway status',
    explainedBy: [
      ...NO_OUTSIDE,
      ...NO_PORT,
      'PORT_NOT_OPENED',
      'PORT_OPENED_IN_VAIN',
      'UDP_BLOCKED',
      'GATEWAY_DOWN',
    ],
  },
  WAY_ONION: {
    severity: 'error',
    verify: 'gateway status',
    explainedBy: [...NO_OUTSIDE, 'CLOCK_WRONG', 'GATEWAY_DOWN'],
  },
  WAY_RELAY: {
    severity: 'error',
    verify: 'gateway status',
    explainedBy: [...NO_OUTSIDE, 'CLOCK_WRONG', 'GATEWAY_DOWN'],
  },
  LEAK_ADDRESS: { severity: 'error', verify: 'gateway doctor leaks' },
  LEAK_SAME: { severity: 'error', verify: 'gateway doctor leaks' },
  LEAK_ONION_NAMED: { severity: 'error', verify: 'gateway doctor leaks' },
  LEAK_NAME: { severity: 'error', verify: 'gateway doctor leaks' },
  LEAK_STATUS_PAGE: { severity: 'error', verify: 'gateway doctor leaks' },
  LEAK_ROUTER: { severity: 'error', verify: 'gateway doctor leaks' },
  LEAK_INSIDE: { severity: 'warning', verify: 'gateway doctor leaks' },
  LEAK_RECORD: { severity: 'warning', verify: 'gateway doctor leaks' },
  NAT_CARRIER: { severity: 'warning', verify: 'gateway doctor nat', explainedBy: ['ROUTE_VPN'] },
  NAT_DOUBLE: { severity: 'warning', verify: 'gateway doctor nat', explainedBy: ['ROUTE_VPN'] },
  FIREWALL_CLOSED: { severity: 'error', verify: 'gateway doctor firewall' },
  SERVICE_DARK: {
    severity: 'error',
    verify: 'gateway status',
    explainedBy: [...NO_OUTSIDE, 'GATEWAY_DOWN', 'WAY_CLEARNET', 'WAY_WIREGUARD', 'WAY_ONION', 'WAY_RELAY'],
  },
  SERVICE_SILENT: { severity: 'error', verify: 'gateway status', explainedBy: ['GATEWAY_DOWN'] },
  RELAY_AWAY: { severity: 'error', verify: 'gateway doctor relay', explainedBy: NO_OUTSIDE },
  RELAY_FIREWALL: { severity: 'error', verify: 'gateway doctor relay', explainedBy: NO_OUTSIDE },
  RELAY_STOPPED: { severity: 'error', verify: 'gateway doctor relay', explainedBy: NO_OUTSIDE },
  RELAY_FORGOT: { severity: 'error', verify: 'gateway doctor relay' },
  TOR_MISSING: { severity: 'error', verify: 'gateway doctor tor' },
  TOR_STUCK: {
    severity: 'error',
    verify: 'gateway doctor tor',
    explainedBy: [...NO_OUTSIDE, 'CLOCK_WRONG', 'DISK_FULL', 'DISK_READ_ONLY'],
  },
  PROGRAM_MISSING: { severity: 'error', verify: 'gateway doctor programs' },
  NAME_MISSING: { severity: 'error', verify: 'gateway doctor names', explainedBy: NO_NAMES },
  NAME_HIDDEN: { severity: 'warning', verify: 'gateway doctor names', explainedBy: NO_NAMES },
  NAME_PRIVATE: { severity: 'warning', verify: 'gateway doctor names', explainedBy: NO_NAMES },
  NAME_ELSEWHERE: { severity: 'error', verify: 'gateway doctor names', explainedBy: NO_NAMES },
  CERTIFICATE_NONE: {
    severity: 'error',
    verify: 'gateway certificate list',
    explainedBy: [...NO_NAMES, 'CLOCK_WRONG', 'NAME_MISSING', 'NAME_ELSEWHERE'],
  },
  CERTIFICATE_ENDS: {
    severity: 'warning',
    verify: 'gateway certificate list',
    explainedBy: [...NO_NAMES, 'CLOCK_WRONG', 'NAME_MISSING', 'NAME_ELSEWHERE'],
  },
  PORT_NOT_OPENED: { severity: 'warning', verify: 'gateway ports', explainedBy: [...NO_LINE, ...NO_MAPPING] },
  PORT_OPENED_IN_VAIN: {
    severity: 'warning',
    verify: 'gateway ports',
    explainedBy: [...NO_LINE, ...NO_PORT],
  },
  ROUTE_VPN: { severity: 'warning', verify: 'gateway doctor routes' },
  ROUTE_TWO: { severity: 'warning', verify: 'gateway doctor routes' },
  UDP_BLOCKED: { severity: 'warning', verify: 'gateway doctor udp', explainedBy: NO_OUTSIDE },
  EGRESS_FILTERED: { severity: 'warning', verify: 'gateway doctor egress', explainedBy: NO_OUTSIDE },
  MTU_BLACK_HOLE: { severity: 'warning', verify: 'gateway doctor mtu', explainedBy: NO_OUTSIDE },
  IPV6_BROKEN: { severity: 'warning', verify: 'gateway doctor ipv6', explainedBy: NO_OUTSIDE },
  PORT_TAKEN: { severity: 'warning', verify: 'gateway doctor ports' },
  TOR_OLD: { severity: 'warning', verify: 'gateway doctor tor' },
  GATEWAY_NOTICE: { severity: 'warning', verify: 'gateway status' },
  NAT_SYMMETRIC: { severity: 'note', verify: 'gateway doctor nat', explainedBy: ['ROUTE_VPN'] },
  WAY_FALLBACK: { severity: 'note', verify: 'gateway status' },
  LEAK_SOFTWARE: { severity: 'note', verify: 'gateway doctor leaks' },
  KERNEL_OLD: { severity: 'note', verify: 'gateway doctor programs' },
  CONTAINER: { severity: 'note', verify: 'gateway doctor container' },
  GATEWAY_FILE_DIFFERS: { severity: 'note', verify: 'gateway status' },
} as const satisfies Readonly<Record<string, Entry>>;

export type FindingCode = keyof typeof FINDINGS;
export const FINDING_CODES = Object.keys(FINDINGS) as readonly FindingCode[];

export function severityOf(code: FindingCode): Severity {
  return FINDINGS[code].severity;
}

export function verifyOf(code: FindingCode): string {
  return FINDINGS[code].verify;
}

/** Codes that explain this one where they are found too. */
export function explainersOf(code: FindingCode): readonly string[] {
  const entry: Entry = FINDINGS[code];
  return entry.explainedBy ?? [];
}
