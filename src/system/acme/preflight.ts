import { caaRefusal, type CaaAsker, type CaaRecord } from '../../core/caa.ts';
import { baseOf, isIpName, type Challenge } from '../../core/certificate.ts';
import { believedAddresses, type HomeAddress } from '../../core/home.ts';
import { isPublicUnicast } from '../../core/inet.ts';
import type { MappingReport } from '../../core/mapper.ts';

/** What is known of the home before anything is asked of an authority. */
export interface Surroundings {
  /** Of the home; of the relays that carry the name, where it goes by these alone. */
  readonly addresses: (name: string) => readonly HomeAddress[];
  /** Ports in the home's router by which the name's visitors come. */
  readonly mappings: (name: string) => Promise<readonly (MappingReport & { readonly preferred: number })[]>;
  /** Can records of this name be changed? */
  readonly holdsZone: (name: string) => boolean;
  /** `undefined` when it cannot be told; empty when there is no such name. */
  readonly findAddresses: (name: string, signal: AbortSignal) => Promise<readonly string[] | undefined>;
  readonly findCaa: (name: string, signal: AbortSignal) => Promise<readonly CaaRecord[] | undefined>;
}

export interface Objection {
  readonly message: string;
  readonly hint: string;
  /** It will fail. Otherwise it probably will: what we see may not be what the authority sees. */
  readonly isCertain: boolean;
}

const PORTS: Readonly<Record<Challenge, number | undefined>> = {
  'dns-01': undefined,
  'http-01': 80,
  'tls-alpn-01': 443,
};

/**
 * Why proving the name by this challenge would fail; `undefined`: nothing speaks against it.
 *
 * | challenge            | what is seen                                               | will fail          |
 * | -------------------- | ---------------------------------------------------------- | ------------------ |
 * | any                  | CAA forbids it                                             | certainly          |
 * | http-01, tls-alpn-01 | there is no such name                                      | certainly          |
 * | http-01, tls-alpn-01 | it stands at other public addresses alone                  | probably           |
 * | http-01, tls-alpn-01 | one of its addresses is IPv6 and not ours                  | probably (authorities ask it first) |
 * | http-01, tls-alpn-01 | the router opened another port than 80 or 443, or none     | probably           |
 */
export async function objectionTo(
  challenge: Challenge,
  name: string,
  asker: CaaAsker,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Objection | undefined> {
  return (
    (await caaObjection(challenge, name, asker, around, signal)) ??
    (challenge === 'dns-01'
      ? undefined
      : ((await nameObjection(name, around, signal)) ?? (await portObjection(challenge, name, around))))
  );
}

async function caaObjection(
  challenge: Challenge,
  name: string,
  asker: CaaAsker,
  { findCaa }: Surroundings,
  signal: AbortSignal,
): Promise<Objection | undefined> {
  const records = isIpName(name) ? undefined : await findCaa(baseOf(name), signal);
  const refusal = records === undefined ? undefined : caaRefusal(records, name, asker, challenge);
  if (refusal === undefined) return undefined;
  const hint = 'publish the CAA record that gateway certificates shows, or remove the others';
  return { message: `no certificate may be given for ${name}: ${refusal}`, hint, isCertain: true };
}

async function nameObjection(
  name: string,
  { findAddresses, addresses }: Surroundings,
  signal: AbortSignal,
): Promise<Objection | undefined> {
  if (isIpName(name)) return undefined;
  const { ipv4 } = believedAddresses(addresses(name));
  const found = await findAddresses(name, signal);
  if (found === undefined) return undefined;
  const target = ipv4 ?? 'the public address of this home';
  const hint = `set the A record of ${name} to ${target}, or tell the gateway who holds the zone (gateway name set)`;
  if (found.length === 0) return { message: `${name} has no address in DNS`, hint, isCertain: true };
  // A name server at home may answer with the address inside, which says nothing of what the world sees.
  if (ipv4 === undefined || !found.some((address) => address.includes(':') || isPublicUnicast(address)))
    return undefined;
  const ours = new Set(addresses(name).map(({ address }) => address));
  const strange = found.find((address) => address.includes(':') && !ours.has(address));
  if (strange !== undefined) {
    const remove = `remove the AAAA record of ${name}: authorities ask that address first`;
    return {
      message: `${name} has the IPv6 address ${strange}, which is not this home's`,
      hint: remove,
      isCertain: false,
    };
  }
  if (found.some((address) => ours.has(address))) return undefined;
  return { message: `${name} is at ${found.join(', ')}, and this home at ${ipv4}`, hint, isCertain: false };
}

async function portObjection(
  challenge: Challenge,
  name: string,
  { mappings }: Surroundings,
): Promise<Objection | undefined> {
  const port = PORTS[challenge];
  const mapping = (await mappings(name)).find(
    ({ transport, preferred }) => transport === 'tcp' && preferred === port,
  );
  if (port === undefined || mapping === undefined) return undefined;
  const hint = mapping.hint ?? `forward TCP port ${port} in the router by hand to this machine`;
  const by = `${challenge} needs TCP port ${port} outside`;
  if (mapping.state !== 'held') {
    const why = mapping.problem ?? 'the router was not asked yet';
    return { message: `${by}: ${why}`, hint, isCertain: false };
  }
  if (mapping.externalPort === port) return undefined;
  return { message: `${by}, and the router gave ${mapping.externalPort ?? 'none'}`, hint, isCertain: false };
}
