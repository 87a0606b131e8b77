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
    explainedBy: [...NO_OUTSIDE, 'CLOCK_WRONG', 'GATEWAY_DOWN'],
  },
  WAY_WIREGUARD: {
    severity: 'error',
    verify: 'gateway status',
    explainedBy: [...NO_OUTSIDE, 'GATEWAY_DOWN'],
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
  SERVICE_SILENT: { severity: 'error', verify: 'gateway status', explainedBy: ['GATEWAY_DOWN'] },
  ROUTE_VPN: { severity: 'warning', verify: 'gateway doctor routes' },
  ROUTE_TWO: { severity: 'warning', verify: 'gateway doctor routes' },
  UDP_BLOCKED: { severity: 'warning', verify: 'gateway doctor udp', explainedBy: NO_OUTSIDE },
  GATEWAY_NOTICE: { severity: 'warning', verify: 'gateway status' },
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
