import { z } from 'zod';
import type { DeviceCard } from './card.ts';
import type { Handout } from './contract.ts';
import { isHostName, parseIpv4 } from './inet.ts';
import { NAME } from './name.ts';

/** What a server or laptop of the owner's needs to find its services by itself when a way in fails. Pure. */

const Name = z.string().max(253).refine(isHostName, 'is no name of a host');
const Address = z.string().refine((text) => parseIpv4(text) !== undefined, 'is no address');
const Onion = z.string().regex(/^[a-z2-7]{56}\.onion$/);
const Port = z.int().min(1).max(65535);

/**
 * How a service is asked by one way, first choice first.
 *
 *   kind   | what is spoken there
 *   -------+----------------------------------------------------
 *   plain  | what the service speaks: through WireGuard, or at a port of its own
 *   tls    | the same within TLS, with a certificate that is trusted everywhere
 *   onion  | what the service speaks, through Tor
 */
const SiteWay = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('plain'),
    provider: z.string().regex(NAME),
    host: z.union([Address, Name]),
    port: Port,
  }),
  z.strictObject({ kind: z.literal('tls'), provider: z.string().regex(NAME), host: Name, port: Port }),
  z.strictObject({
    kind: z.literal('onion'),
    provider: z.string().regex(NAME),
    host: Onion,
    port: Port,
    /** x25519, 52 letters of base32: of who may find it. Absent: everybody may. */
    key: z
      .string()
      .regex(/^[A-Z2-7]{52}$/)
      .optional(),
  }),
]);
export type SiteWay = z.infer<typeof SiteWay>;

const SiteService = z.strictObject({
  name: z.string().regex(NAME),
  /** Asked by HTTP: `Host` must be the name that the way goes by. */
  isPage: z.boolean(),
  ways: z.array(SiteWay).min(1).max(8),
});
export type SiteService = z.infer<typeof SiteService>;

export const SiteBundle = z.strictObject({
  site: z.string().regex(NAME),
  services: z.array(SiteService).min(1).max(64),
});
export type SiteBundle = z.infer<typeof SiteBundle>;

type CardWay = DeviceCard['services'][number]['ways'][number];

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'tls:': 443 };

/** Of a card only what a program can use by itself: no page that asks for a certificate, no name without a certificate. */
export function bundleOf(card: DeviceCard, handouts: readonly Handout[]): SiteBundle {
  const keys = onionKeys(handouts);
  const services = card.services.flatMap(({ name, ways }) => {
    const usable = ways.flatMap((way) => siteWay(way, keys) ?? []);
    const isPage = ways.some(({ url }) => /^https?:/.test(url));
    return usable.length === 0 ? [] : [{ name, isPage, ways: usable }];
  });
  return { site: card.device, services };
}

function siteWay(
  { provider, url, clientNeeds }: CardWay,
  keys: ReadonlyMap<string, string>,
): SiteWay | undefined {
  if (clientNeeds.some((need) => need.includes('certificate'))) return undefined;
  const { protocol, hostname: host, port: written } = new URL(url);
  const port = Number(written || DEFAULT_PORTS[protocol]);
  if (host.endsWith('.onion')) {
    const key = keys.get(host);
    return { kind: 'onion', provider, host, port, ...(key === undefined ? {} : { key }) };
  }
  if (protocol !== 'https:' && protocol !== 'tls:') return { kind: 'plain', provider, host, port };
  // HAProxy compares a certificate with names alone.
  return parseIpv4(host) === undefined ? { kind: 'tls', provider, host, port } : undefined;
}

/** By onion address; a line is `ADDRESS:descriptor:x25519:KEY`. */
function onionKeys(handouts: readonly Handout[]): ReadonlyMap<string, string> {
  const lines = handouts.filter(({ kind }) => kind === 'onion-key-file');
  return new Map(
    lines.map(({ text }) => {
      const [address = '', , , key = ''] = text.trim().split(':');
      return [`${address}.onion`, key];
    }),
  );
}
