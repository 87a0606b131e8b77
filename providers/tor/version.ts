import {
  isOlder,
  MINIMUM_VERSION,
  parseTorVersion,
  seriesOf,
  type TorVersion,
} from '../../src/wire/torversion.ts';

const INSTALL = `install tor ${MINIMUM_VERSION} or later (from Debian security updates or deb.torproject.org), then: gateway down, gateway up`;

export interface KnownVersions {
  /** Of the process, as it says itself. */
  readonly running?: string | undefined;
  /** Of the program that the next start would run. */
  readonly installed?: string | undefined;
  /** What the network's directory thinks of the running one: `recommended`, `obsolete`, `unrecommended` … */
  readonly opinion?: string | undefined;
}

/** What the owner must know of this tor, though it works: which version, why it matters, what to do. */
export function versionNotice({ running, installed, opinion }: KnownVersions): string | undefined {
  const process = parseTorVersion(running ?? '');
  const program = parseTorVersion(installed ?? '');
  if (process !== undefined && isTooOld(process)) {
    if (program === undefined || isTooOld(program)) return tooOld(process);
    return `${tooOldWhy(process)}; ${program.text} is installed but not running yet: gateway down, gateway up`;
  }
  if (program !== undefined && isTooOld(program)) return tooOld(program);
  if (process !== undefined && (opinion === 'obsolete' || opinion === 'unrecommended')) {
    return `the Tor network no longer recommends tor ${process.text}: it has known faults; install the newest of its series`;
  }
  return undefined;
}

function isTooOld(version: TorVersion): boolean {
  const minimum = parseTorVersion(MINIMUM_VERSION);
  return minimum !== undefined && isOlder(version, minimum);
}

function tooOld(version: TorVersion): string {
  return `${tooOldWhy(version)}; ${INSTALL}`;
}

function tooOldWhy(version: TorVersion): string {
  const fault = `before ${MINIMUM_VERSION} a relay can pose as an onion service to its visitors (tor issue #41297)`;
  const minimum = parseTorVersion(MINIMUM_VERSION);
  // Sooner or later the network speaks what such a tor cannot read: it then stays at 30 % for ever.
  const isEnded = minimum !== undefined && seriesOf(version) !== seriesOf(minimum);
  const end = isEnded
    ? `, its series ${seriesOf(version)} has reached its end of life, and the network may stop to work with it`
    : '';
  return `tor ${version.text} is too old: ${fault}${end}`;
}
