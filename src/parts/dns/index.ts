import type {
  Change,
  Compiled,
  CompileInput,
  Context,
  NameWant,
  Observed,
  Part,
  Resource,
} from '../../core/contract.ts';
import type { DnsSettings } from '../../core/dns-config.ts';
import { agreedAddresses, nextAddresses, type HomeAddress } from '../../core/home.ts';
import { isPublicUnicast } from '../../core/inet.ts';
import {
  isInZone,
  whyPublish,
  zoneOf,
  type HomeName,
  type KeptName,
  type NameAddresses,
} from '../../core/names.ts';

/** `name:home.example.net`: stands at the home's public address. Which one that is, is learned, and so no part of it. */
type Spec = HomeName;

/** Owner of the public names that follow the home's address (dynamic DNS). */
export const dnsPart: Part<Spec, unknown, Partial<DnsSettings>> = {
  id: 'dns',
  kinds: ['name'],
  compile,
  observe,
  apply,
  describe,
  // Holds nothing open: a name stands at its host.
  close: async () => {},
};

const PAGE = { isForPage: true } as const;

/**
 * The home's own name, and names of pages. Only those that a zone of ours holds: the others are set by their owner, and
 * whoever wants one says so. One that stands below a home with `wildcard` is there already.
 */
function compile({ settings, services, wants }: CompileInput<unknown, Partial<DnsSettings>>): Compiled<Spec> {
  const { home, wildcard = false, zones = {} } = settings;
  const wanted = wants.filter((want) => want.part === 'dns');
  const both = new Set(services.flatMap(({ name, dns }) => (dns === 'both' ? [name] : [])));
  const byName = Map.groupBy(wanted, ({ name }) => name);
  const covered = (name: string): boolean =>
    home !== undefined && (name === home || (wildcard && isInZone(name, home)));
  const pages = [...byName.keys()].filter((name) => !covered(name)).sort();
  const resourceOf = (name: string, isHome: boolean): Resource<Spec>[] => {
    const zone = zoneOf(name, Object.keys(zones));
    const access = zone === undefined ? undefined : zones[zone];
    if (zone === undefined || access === undefined) return [];
    const spec = {
      name,
      wildcard: isHome && wildcard,
      zone,
      access,
      ...(isHome ? {} : PAGE),
      ...placeOf(isHome ? [] : (byName.get(name) ?? []), both),
    };
    const users = isHome ? wanted.filter((want) => covered(want.name)) : (byName.get(name) ?? []);
    const neededBy = [...new Set(users.map(({ service }) => service))].sort();
    return [{ key: `name:${name}`, spec, neededBy }];
  };
  const resources = [
    ...(home === undefined ? [] : resourceOf(home, true)),
    ...pages.flatMap((name) => resourceOf(name, false)),
  ];
  return { resources, wants: [], problems: [], ledger: {} };
}

/** A name at which visitors find the home by another way too stays there; with `dns: both` it has the relay's address too. */
function placeOf(wants: readonly NameWant[], both: ReadonlySet<string>): Pick<HomeName, 'at' | 'also'> {
  const at = wants.find((want) => want.at !== undefined)?.at;
  if (at === undefined) return {};
  if (wants.every((want) => want.at !== undefined)) return { at };
  return wants.some(({ service }) => both.has(service)) ? { also: at } : {};
}

async function observe({ ports }: Context): Promise<Observed<Spec>[]> {
  const seen = ports.home.addresses();
  const isDisputed = agreedAddresses(seen).ipv4 === undefined;
  const kept = await ports.names.kept();
  return kept.map((found) => {
    const renew = whyPublish(found, wantedFor(found, seen), ports.now());
    const { name, published, publishedAt, trouble } = found;
    const facts = {
      ...published,
      ...(publishedAt === undefined ? {} : { publishedAt }),
      ...(trouble === undefined ? {} : { trouble: trouble.message }),
      ...(isDisputed && name.at === undefined ? disputeOf(found, seen) : {}),
    };
    return { key: `name:${name.name}`, spec: name, facts, ...(renew === undefined ? {} : { renew }) };
  });
}

/** What was tried by IPv6 is the port that devices dial: a page is at another. */
function wantedFor(
  { name, published }: Pick<KeptName, 'name' | 'published'>,
  seen: readonly HomeAddress[],
): NameAddresses {
  if (name.at !== undefined) return name.at;
  const isOfDevices = name.isForPage !== true;
  return nextAddresses(published, isOfDevices ? seen : seen.filter(({ family }) => family === 4));
}

/** Only while they differ: who tells nothing does not contradict. */
function disputeOf(
  { name, published }: KeptName,
  seen: readonly HomeAddress[],
): { readonly notice?: string } {
  const told = seen.filter(({ address }) => isPublicUnicast(address));
  if (told.length === 0) return {};
  const said = told.map(({ address, source }) => `${address} (${source})`).join(', ');
  const where = published.ipv4 === undefined ? 'is not pointed anywhere' : `stays at ${published.ipv4}`;
  return {
    notice: `${name.name} ${where}: who sees the home tells different addresses: ${said}; with a second kind of source that agrees (gateway.yaml: stun) it follows again`,
  };
}

async function apply(change: Change<Spec>, { ports, signal }: Context): Promise<void> {
  if (change.op === 'delete') return ports.names.withdraw(change.have.spec, signal);
  const name = change.want.spec;
  const before = (await ports.names.kept()).find((kept) => kept.name.name === name.name);
  const wanted = wantedFor({ name, published: before?.published ?? {} }, ports.home.addresses());
  await ports.names.publish(name, wanted, signal);
}

function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return `take the address away from the name ${change.have.spec.name}`;
  const { name, wildcard, at, also } = change.want.spec;
  const besides = also === undefined ? '' : ` and the relay (${also.ipv4})`;
  const where = at === undefined ? `the home's public address${besides}` : `the relay (${at.ipv4})`;
  return `point ${name}${wildcard ? ' and every name below it' : ''} at ${where}`;
}
