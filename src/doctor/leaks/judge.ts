import type { Privacy } from '../../core/service.ts';
import type { Finding } from '../check.ts';
import type { FindingCode } from '../findings.ts';
import { text, type MessageKey, type Values } from '../messages/message.ts';
import type { Severity } from '../types.ts';
import type { Visited } from '../world.ts';
import { likenessOf } from './likeness.ts';
import type { PlaceSeen, Seen, SubjectSeen } from './seen.ts';
import { holds, tracesIn, type Trace } from './traces.ts';

/**
 * How bad it is that strangers learn this of a service:
 *
 *   home    where the home is: its public address, or a page there
 *   name    a public name that leads elsewhere, or which names the home has
 *   inside  an address that means something inside the home only
 */
const SEVERITIES: Readonly<Record<Privacy, Readonly<Record<Trace['tells'], Severity>>>> = {
  'tor-only': { home: 'error', name: 'error', inside: 'warning' },
  'no-clearnet': { home: 'error', name: 'error', inside: 'warning' },
  'hide-home-address': { home: 'error', name: 'note', inside: 'warning' },
  open: { home: 'note', name: 'note', inside: 'note' },
};

const CODES = { home: 'LEAK_ADDRESS', name: 'LEAK_NAME', inside: 'LEAK_INSIDE' } as const;

/** All that the outside can learn, of one service after the other. */
export function judge(seen: Seen, evidence: string): Finding[] {
  return seen.subjects.flatMap((subject) =>
    [
      ...toldBy(subject, seen),
      ...sameAs(subject, seen.places),
      ...namedAt(subject, seen.places),
      ...recordsOf(subject, seen),
      ...statusPageOf(subject),
      ...softwareOf(subject),
    ].map((found) => named(found, subject, evidence)),
  );
}

type Leak = Omit<Finding, 'because'>;

function named({ fix, ...found }: Leak, { name }: SubjectSeen, evidence: string): Finding {
  const values = { name, ...found.values };
  const steps = fix.map((step) => ({ ...step, text: text(step.text.key, { name, ...step.text.values }) }));
  return { ...found, values, because: [evidence], fix: steps };
}

function leak(
  code: FindingCode,
  severity: Severity,
  values: Values,
  fix: MessageKey,
  command?: string,
): Leak {
  return {
    code,
    severity,
    values,
    fix: [{ text: text(fix, values), who: 'you', ...(command === undefined ? {} : { command }) }],
  };
}

function toldBy(subject: SubjectSeen, { known }: Seen): Leak[] {
  const traces = tracesIn(subject, known);
  return (['home', 'name', 'inside'] as const).flatMap((tells) => {
    const [first, ...more] = traces.filter((trace) => trace.tells === tells);
    if (first === undefined) return [];
    const words = [first, ...more].map(({ word }) => word).join(', ');
    const severity = SEVERITIES[subject.privacy][tells];
    return [leak(CODES[tells], severity, { words, where: first.where }, 'leaks.fix.program')];
  });
}

function sameAs(subject: SubjectSeen, places: readonly PlaceSeen[]): Leak[] {
  const alike = places
    .filter(({ door }) => door.host !== subject.front?.host)
    .flatMap((place) => {
      const likenesses = subject.pages.flatMap((own) =>
        place.pages.flatMap((other) => likenessOf(own.visited, other.visited) ?? []),
      );
      return likenesses.slice(0, 1).map((what) => ({ place, what }));
    })
    .toSorted((a, b) => a.place.tells.localeCompare(b.place.tells));
  const [worst] = alike;
  if (worst === undefined) return [];
  const urls = alike.map(({ place }) => place.url).join(', ');
  const severity = SEVERITIES[subject.privacy][worst.place.tells];
  return [leak('LEAK_SAME', severity, { places: urls, what: worst.what }, 'leaks.fix.same')];
}

/** Pages at the home that tell of the onion, as by `Onion-Location`; where nothing is hidden, that is what it is for. */
function namedAt({ front, privacy }: SubjectSeen, places: readonly PlaceSeen[]): Leak[] {
  if (privacy === 'open' || front === undefined || !front.host.endsWith('.onion')) return [];
  const naming = places
    .filter(({ pages }) => pages.some(({ visited }) => namesHost(visited, front.host)))
    .toSorted((a, b) => a.tells.localeCompare(b.tells));
  const [worst] = naming;
  if (worst === undefined) return [];
  const urls = naming.map(({ url }) => url).join(', ');
  return [
    leak('LEAK_ONION_NAMED', SEVERITIES[privacy][worst.tells], { places: urls }, 'leaks.fix.onion-named'),
  ];
}

function namesHost({ page }: Visited, host: string): boolean {
  const headers = (page?.headers ?? []).map(([, value]) => value);
  return [page?.body ?? '', ...headers].some((words) => holds(words, host));
}

/**
 *   where                                             | found
 *   --------------------------------------------------+--------------------------------------------------
 *   public name, and so the logs of certificates      | LEAK_RECORD, for those that may have no public name
 *   router leads a port to the program                | LEAK_ROUTER
 *   router's table, which all in the home can read    | LEAK_ROUTER, a note
 */
function recordsOf({ name, privacy, target }: SubjectSeen, { known, router }: Seen): Leak[] {
  if (privacy === 'open') return [];
  const named = known.names.filter((one) => one.toLowerCase().split('.').includes(name.toLowerCase()));
  const records =
    privacy === 'hide-home-address' || named.length === 0
      ? []
      : [leak('LEAK_RECORD', 'warning', { names: named.join(', ') }, 'leaks.fix.record')];
  const led = router.filter(
    ({ internalAddress, internalPort }) => internalAddress === target.address && internalPort === target.port,
  );
  const told = router.filter(({ description }) => holds(description, name));
  const lines = led.length > 0 ? led : told;
  const [first] = lines;
  if (first === undefined) return records;
  const how = text(led.length > 0 ? 'leaks.router-leads' : 'leaks.router-names', { line: first.description });
  const values = { port: first.externalPort, how };
  const severity = led.length > 0 ? SEVERITIES[privacy].home : 'note';
  return [...records, leak('LEAK_ROUTER', severity, values, 'leaks.fix.router', 'gateway ports')];
}

export const STATUS_PAGE = '/server-status';

/** Apache's own: every visitor, every name it serves, and what it is. Programs take who comes by Tor for local. */
function statusPageOf({ pages, privacy }: SubjectSeen): Leak[] {
  const isShown = pages.some(
    ({ path, visited: { page } }) =>
      path === STATUS_PAGE && page?.status === 200 && /Apache (?:Server )?Status/i.test(page.body),
  );
  if (!isShown) return [];
  return [leak('LEAK_STATUS_PAGE', SEVERITIES[privacy].home, { path: STATUS_PAGE }, 'leaks.fix.status-page')];
}

const BANNERS = ['server', 'x-powered-by', 'x-generator', 'x-aspnet-version', 'x-runtime'];

function softwareOf({ pages, privacy }: SubjectSeen): Leak[] {
  if (privacy === 'open') return [];
  const banners = pages.flatMap(({ visited: { page } }) =>
    (page?.headers ?? []).filter(([name, value]) => BANNERS.includes(name) && /\d/.test(value)),
  );
  const [first] = banners;
  if (first === undefined) return [];
  const [header, words] = first;
  return [leak('LEAK_SOFTWARE', 'note', { header, words }, 'leaks.fix.software')];
}
