import { isPublicUnicast } from '../../core/inet.ts';
import { torInstanceOf, type AnonymousInstance } from '../../core/tor-instance.ts';
import { GatewayError } from '../../core/errors.ts';
import type { CertificateReport } from '../../core/certificate.ts';
import type { NameReport } from '../../core/control.ts';
import type { PortsReport } from '../../core/mapper.ts';
import type { AddressStatus, ServiceStatus } from '../../core/status.ts';
import type { Check, CheckContext } from '../check.ts';
import { judge, STATUS_PAGE } from '../leaks/judge.ts';
import type { Door, Known, PageSeen, PlaceSeen, Seen, Subject, SubjectSeen } from '../leaks/seen.ts';
import { placesOf, subjectsIn } from '../leaks/subjects.ts';
import { pathWithin } from '../leaks/within.ts';
import { text } from '../messages/message.ts';
import type { Visited } from '../world.ts';

/** The last is nowhere: what a program says of pages that it does not have. */
const PATHS = ['/', STATUS_PAGE, '/no-such-page-here'] as const;

/**
 * What strangers can learn of services that hide where they are.
 *
 *   asked                                | by
 *   -------------------------------------+------------------------------------------------------------
 *   the onion of a tor-only service      | the tor process of those services
 *   other onions, relay's public names   | the other tor process
 *   this home's public address and names | exits of that one; nobody where it does not run
 */
export const leaks: Check = {
  name: 'leaks',
  title: 'leaks.name',
  needs: ['outside', 'gateway'],
  isOnlyByName: true,
  deadlineMs: 130_000,
  run: async (context) => {
    const gateway = await context.world.gateway();
    const services = gateway.state === 'running' ? gateway.status.services : [];
    const subjects = subjectsIn(services);
    if (subjects.length === 0) return { text: text('leaks.none') };
    const seen = await look(services, subjects, context);
    const findings = judge(seen, context.see('seen', 'visits', shown(seen)));
    if (findings.length > 0) return { text: text('leaks.found', { count: findings.length }), findings };
    const unseen = seen.subjects.filter(({ pages }) => pages.length > 0 && !pages.some(wasSeen));
    if (unseen.length > 0)
      return {
        text: text('leaks.unseen', { names: unseen.map(({ name }) => name).join(', ') }),
        isUnknown: true,
      };
    if (seen.places.length === 0 || !seen.places.some(hasTor))
      return { text: text('leaks.no-outside'), isUnknown: true };
    return { text: text('leaks.ok', { names: subjects.map(({ name }) => name).join(', ') }) };
  },
};

async function look(
  services: readonly ServiceStatus[],
  subjects: readonly Subject[],
  context: CheckContext,
): Promise<Seen> {
  const ask = <Answer>(path: string): Promise<Answer | undefined> => askOf<Answer>(path, context);
  const [address, names, certificates, ports, ...ways] = await Promise.all([
    ask<AddressStatus>('/v1/address'),
    ask<NameReport[]>('/v1/names'),
    ask<CertificateReport[]>('/v1/certificates'),
    ask<PortsReport>('/v1/ports'),
    ...([4, 6] as const).map((family) => context.world.wayOut(family, context.signal)),
  ]);
  const all = [
    ...(address?.addresses ?? []).map((one) => one.address),
    ...ways.flatMap((way) => way?.address ?? []),
  ];
  const places = placesOf(services, all);
  const hosts = places.map(({ door }) => door.host).filter((host) => /[a-z]$/i.test(host));
  const listed = [
    ...(names ?? []).map(({ name }) => name),
    ...(certificates ?? []).flatMap((one) => one.names),
  ];
  const known = knownOf(all, [...listed, ...hosts]);
  const [subjectsSeen, placesSeen] = await Promise.all([
    Promise.all(subjects.map((subject) => visitSubject(subject, context))),
    Promise.all(
      places.map(async (place): Promise<PlaceSeen> => {
        return { ...place, pages: await visitPath(place.door, '/', 'tor', context) };
      }),
    ),
  ]);
  return { subjects: subjectsSeen, places: placesSeen, known, router: ports?.table ?? [] };
}

function knownOf(addresses: readonly string[], names: readonly string[]): Known {
  return {
    addresses: [...new Set(addresses.filter(isOutside))],
    inside: [...new Set(addresses.filter((one) => !isOutside(one)))],
    names: [...new Set(names.map((name) => name.replace(/^\*\./, '').toLowerCase()))],
  };
}

async function askOf<Answer>(path: string, { world, signal }: CheckContext): Promise<Answer | undefined> {
  try {
    return await world.ask<Answer>(path, signal);
  } catch (error) {
    if (!(error instanceof GatewayError) || signal.aborted) throw error;
    return undefined;
  }
}

function isOutside(address: string): boolean {
  return address.includes(':') ? /^[23]/.test(address) : isPublicUnicast(address);
}

async function visitSubject(subject: Subject, context: CheckContext): Promise<SubjectSeen> {
  const { front } = subject;
  if (front === undefined) return { ...subject, pages: [] };
  const by = torInstanceOf(subject);
  const pages = await Promise.all(PATHS.map((path) => visitPath(front, path, by, context)));
  return { ...subject, pages: pages.flat() };
}

/** And the page that it leads to at the same door, as `/` to `/login`. */
async function visitPath(
  door: Door,
  path: string,
  by: AnonymousInstance,
  context: CheckContext,
): Promise<PageSeen[]> {
  const visited = await visitDoor(door, path, by, context);
  const next = path === '/' ? pathWithin(door, visited) : undefined;
  if (next === undefined) return [{ path, visited }];
  return [
    { path, visited },
    { path: next, visited: await visitDoor(door, next, by, context) },
  ];
}

/** Circuits to onions fail now and then; a port that nobody opened stays silent however often it is asked. */
async function visitDoor(
  { host, port, isTls }: Door,
  path: string,
  by: AnonymousInstance,
  { world, signal }: CheckContext,
): Promise<Visited> {
  const visit = { by, host, port, isTls, path };
  const first = await world.visit(visit, signal);
  return isEmpty(first) && host.endsWith('.onion') ? await world.visit(visit, signal) : first;
}

function isEmpty({ page, certificate }: Visited): boolean {
  return page === undefined && certificate === undefined;
}

function hasTor({ pages }: PlaceSeen): boolean {
  return pages.some(({ visited }) => visited.hasTor);
}

function wasSeen({ visited }: PageSeen): boolean {
  return !isEmpty(visited);
}

/** Without the pages themselves: what people wrote to each other there is nobody's business. */
function shown({ subjects, places, known }: Seen) {
  const short = ({ path, visited: { page, certificate, why } }: PageSeen) => ({
    path,
    status: page?.status ?? null,
    bytes: page?.body.length ?? null,
    certificate: certificate?.fingerprint ?? null,
    why: why ?? null,
  });
  return {
    services: subjects.map(({ name, privacy, front, pages }) => ({
      name,
      privacy,
      front: front?.host ?? null,
      pages: pages.map(short),
    })),
    places: places.map(({ url, pages }) => ({ url, pages: pages.map(short) })),
    known,
  };
}
