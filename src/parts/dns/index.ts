import type { Change, Compiled, CompileInput, Context, Observed, Part } from '../../core/contract.ts';
import type { DnsSettings } from '../../core/dns-config.ts';
import { believedAddresses } from '../../core/home.ts';
import { whyPublish, zoneOf, type HomeName } from '../../core/names.ts';

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

function compile({ settings }: CompileInput<unknown, Partial<DnsSettings>>): Compiled<Spec> {
  const { home, wildcard = false, zones = {} } = settings;
  const zone = home === undefined ? undefined : zoneOf(home, Object.keys(zones));
  const access = zone === undefined ? undefined : zones[zone];
  const nothing = { wants: [], problems: [], ledger: {} };
  if (home === undefined || zone === undefined || access === undefined) return { resources: [], ...nothing };
  const spec = { name: home, wildcard, zone, access };
  return { resources: [{ key: `name:${home}`, spec, neededBy: [] }], ...nothing };
}

async function observe({ ports }: Context): Promise<Observed<Spec>[]> {
  const addresses = believedAddresses(ports.home.addresses());
  const kept = await ports.names.kept();
  return kept.map((found) => {
    const renew = whyPublish(found, addresses, ports.now());
    const { name, published, publishedAt, trouble } = found;
    const facts = {
      ...published,
      ...(publishedAt === undefined ? {} : { publishedAt }),
      ...(trouble === undefined ? {} : { trouble: trouble.message }),
    };
    return { key: `name:${name.name}`, spec: name, facts, ...(renew === undefined ? {} : { renew }) };
  });
}

async function apply(change: Change<Spec>, { ports, signal }: Context): Promise<void> {
  if (change.op === 'delete') return ports.names.withdraw(change.have.spec, signal);
  await ports.names.publish(change.want.spec, believedAddresses(ports.home.addresses()), signal);
}

function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return `take the address away from the name ${change.have.spec.name}`;
  const { name, wildcard } = change.want.spec;
  return `point ${name}${wildcard ? ' and every name below it' : ''} at the home's public address`;
}
