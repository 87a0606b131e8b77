import type { CompileInput, Exposure, Ledger } from '../../src/core/contract.ts';
import type { OnionClient, OnionSpec } from '../../src/core/operations.ts';
import type { Device } from '../../src/core/service.ts';
import type { Options, Settings } from './spec.ts';

/**
 * Onions that let in only devices that were given them.
 *
 * Somebody who was let in once keeps what it knows: the introduction points. So whenever a key is taken away, and when an
 * onion that was open begins to ask, the onion's `round` goes up, and with it they are made anew. The ledger remembers
 * whom each onion lets in, because the devices that are gone cannot be told from those that are there:
 *
 *   round/<service>          how often; kept while the service is there, so that no round ever comes again
 *   asks/<service>           it asks for a key
 *   client/<service>/<key>   name of the device
 *   gently/<service>/<key>   name and end: revoked without a new round
 */
export type Authorization = NonNullable<OnionSpec['authorization']>;

/**
 * A descriptor names each client, and is at most 50,000 bytes long: beyond that tor announces the onion to nobody at all
 * (tried with 0.4.9.11: 353 clients fit, 400 do not; more introduction points take some of that).
 */
export const MAX_CLIENTS = 300;

/** What people who know the address of a wallet's node can do is not what a shop's visitors can do. */
const ASK_BY_DEFAULT: readonly string[] = ['lnd', 'clnrest'];

export function asksForKey({ service, options }: Exposure<Options>): boolean {
  return (
    (options.authorization ?? (ASK_BY_DEFAULT.includes(service.kind) ? 'required' : 'none')) === 'required'
  );
}

export interface Authorized {
  readonly byService: ReadonlyMap<string, Authorization>;
  readonly ledger: Ledger;
}

export function authorize(input: CompileInput<Options, Settings>): Authorized {
  const { services, exposures, devices, ledger } = input;
  const asking = exposures.filter(asksForKey).map(({ service }) => service.name);
  const given = clientsByService(devices);
  const remembered = entriesByFolder(ledger);
  const decided = asking.sort().map((service) => decide(service, given.get(service) ?? [], remembered));
  const rounds = services.flatMap(({ name }): [string, string | number][] => {
    const round = ledger[`round/${name}`];
    return round === undefined ? [] : [[`round/${name}`, round]];
  });
  return {
    byService: new Map(decided.map(({ service, authorization }) => [service, authorization])),
    ledger: Object.assign(Object.fromEntries(rounds), ...decided.map((one) => one.ledger)) as Ledger,
  };
}

function decide(service: string, given: readonly OnionClient[], remembered: Folders) {
  const clients = [...given].sort((a, b) => (a.name < b.name ? -1 : 1));
  const kept = new Set(clients.map(({ key }) => key));
  const under = (folder: string): ReadonlyMap<string, string> => remembered.get(folder) ?? new Map();
  const gone = [...under(`client/${service}`).keys()].filter((key) => !kept.has(key));
  const gently = under(`gently/${service}`);
  const before = Number(under('round').get(service) ?? 0);
  const asked = under('asks').has(service);
  const isNewRound = !asked || gone.some((key) => !gently.has(key));
  const round = isNewRound ? before + 1 : before;
  return {
    service,
    authorization: { clients, round },
    ledger: {
      [`round/${service}`]: round,
      [`asks/${service}`]: 'yes',
      ...Object.fromEntries(clients.map(({ name, key }) => [`client/${service}/${key}`, name])),
      // A new round ends what the others still knew, too.
      ...(isNewRound
        ? {}
        : Object.fromEntries([...gently].map(([key, value]) => [`gently/${service}/${key}`, value]))),
    },
  };
}

function clientsByService(devices: readonly Device[]): ReadonlyMap<string, OnionClient[]> {
  const clients = new Map<string, OnionClient[]>();
  for (const { name, onionKey: key, services } of devices) {
    if (key === undefined) continue;
    for (const service of services) {
      const known = clients.get(service);
      if (known === undefined) clients.set(service, [{ name, key }]);
      else known.push({ name, key });
    }
  }
  return clients;
}

/** `client/lnd/KEY` → KEY in folder `client/lnd`. Made once: with many services looking through the ledger adds up. */
type Folders = ReadonlyMap<string, ReadonlyMap<string, string>>;

function entriesByFolder(ledger: Ledger): Folders {
  const folders = new Map<string, Map<string, string>>();
  for (const [path, value] of Object.entries(ledger)) {
    const end = path.lastIndexOf('/');
    const folder = folders.get(path.slice(0, end)) ?? new Map<string, string>();
    folders.set(path.slice(0, end), folder.set(path.slice(end + 1), String(value)));
  }
  return folders;
}

/**
 * How long what a client knows is good for: tor gives up an introduction point after 18 to 24 hours (rend-spec-v3;
 * INTRO_POINT_LIFETIME_MAX_SECONDS in hs_service.h), and a client a descriptor after a day.
 */
const LIFETIME_MS = 24 * 3600 * 1000;

export function revokeGently(ledger: Ledger, { name, onionKey, services }: Device, nowMs: number): Ledger {
  const current = Object.entries(ledger).filter(
    ([key, value]) => !key.startsWith('gently/') || endOf(value) > nowMs,
  );
  const until = new Date(nowMs + LIFETIME_MS).toISOString();
  const added = services
    .filter((service) => ledger[`client/${service}/${onionKey}`] !== undefined)
    .map((service) => [`gently/${service}/${onionKey}`, `${name} ${until}`] as const);
  return Object.fromEntries([...current, ...added]);
}

export function remarks(ledger: Ledger, nowMs: number): string[] {
  return Object.entries(ledger).flatMap(([key, value]) => {
    const [kind, service] = key.split('/');
    if (kind !== 'gently' || endOf(value) <= nowMs) return [];
    const [device = '', until = ''] = String(value).split(' ');
    return [
      `${device} was revoked gently: with what it still knows of the onion service of ${service} it may get in until ${until}, and what it has open stays open; revoking any other device of ${service} without --gently ends that at once`,
    ];
  });
}

function endOf(value: string | number): number {
  return Date.parse(String(value).split(' ')[1] ?? '');
}
