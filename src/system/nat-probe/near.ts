import { networkInterfaces } from 'node:os';
import { isInCidr, isPrivate, isPublicUnicast, formatIpv4, parseIpv4 } from '../../core/inet.ts';
import { OUTWARDS } from '../hops.ts';
import type { HomeNetwork } from '../mapping/home-network.ts';
import { lookByPcp } from './pcp-source.ts';
import type { Pings } from './pings.ts';
import { lookByNatPmp, lookByUpnp } from './portmaps.ts';
import { refusingTtl } from './refused.ts';
import type { Survey } from './survey.ts';

const MOST_TTL = 8;
const TTLS = Array.from({ length: MOST_TTL }, (_, index) => index + 1);

/** Routers of which nobody else is asked: all up to the first on the internet. */
interface Hop {
  readonly ttl: number;
  readonly address: string;
}

/** Each router on the way out that shows itself, the nearest first. */
export async function trace(survey: Survey, pings: Pings, { router }: HomeNetwork): Promise<Hop[]> {
  const shown = await Promise.all(TTLS.map(async (ttl) => (await pings.to(OUTWARDS, ttl)).exceeded));
  const hops = TTLS.flatMap((ttl, index): Hop[] => {
    const address = shown[index] ?? (ttl === 1 ? router : undefined);
    return address === undefined ? [] : [{ ttl, address }];
  });
  for (const hop of hops) survey.add({ method: 'trace', ...hop });
  return hops;
}

/**
 * Whose is our public address? The nearest that answers there, by itself, has it; and by Record Route every router before it
 * writes down by which address packets leave it.
 */
export async function findOwner(survey: Survey, pings: Pings, publicV4: string): Promise<void> {
  const echoes = async (): Promise<void> => {
    const replies = await Promise.all(TTLS.map(async (ttl) => (await pings.to(publicV4, ttl)).reply));
    const ttl = TTLS.find((_, index) => replies[index] === publicV4);
    if (ttl === undefined) return;
    survey.add({ method: 'public-echo', ttl });
    addRoute(survey, (await pings.recording(publicV4)).route, publicV4, ttl);
  };
  const refusals = async (): Promise<void> => {
    const ttl = await refusingTtl(publicV4, survey.signal);
    survey.add(ttl === undefined ? undefined : { method: 'public-refused', ttl });
  };
  await Promise.all([echoes(), refusals()]);
}

/**
 * `route`: our own address, then one of each router, then that of the one that was pinged. Where a router wrote nothing,
 * places are shifted, and the pinged one is not where it should be: then none of them counts.
 */
function addRoute(survey: Survey, route: readonly string[], pinged: string, ttl: number): void {
  if (route.indexOf(pinged) !== ttl) return;
  for (const [index, address] of route.slice(1, ttl + 1).entries()) {
    const at = index + 1;
    // The last wrote the address that was pinged: only a public one is on its other side.
    const isOutside = at < ttl || isPublicUnicast(pinged);
    const isKnown = survey.seen.some(
      (one) => one.method === 'record-route' && one.ttl === at && one.address === address,
    );
    if (isOutside && !isKnown) survey.add({ method: 'record-route', ttl: at, address });
  }
}

/** The router that we are behind: what it speaks. */
export async function lookAtFirst(survey: Survey, { router, address }: HomeNetwork): Promise<void> {
  if (isPublicUnicast(router)) return;
  await lookAt(survey, { ttl: 1, address: router }, [address], false);
}

/** Routers farther out, of the home or next to it: never one on the internet. */
export async function lookFarther(
  survey: Survey,
  pings: Pings,
  hops: readonly Hop[],
  own: string,
): Promise<void> {
  const until = hops.find(({ address }) => isPublicUnicast(address))?.ttl ?? Infinity;
  const asked = hops.filter(({ ttl, address }) => {
    const isAlone = hops.every((other) => other.ttl === ttl || other.address !== address);
    return ttl > 1 && ttl < until && isAlone && !isOnLink(address);
  });
  await Promise.all(
    asked.map(async (hop) => {
      const { ttl, address } = hop;
      const [here, before] = await Promise.all([pings.to(address, ttl), pings.to(address, ttl - 1)]);
      // Two networks may have the same numbers: whoever is asked must be the one that was seen there.
      if (here.reply !== address || before.reply !== undefined) return;
      const { route } = await pings.recording(address);
      addRoute(survey, route, address, ttl);
      // Whichever of the routers before it translates last; most often the nearest.
      const written = route.indexOf(address) === ttl ? route.slice(1, ttl).toReversed() : [];
      // A carrier's box is asked what it offers (RFC 6888 REQ-9), and not hundreds of times.
      await lookAt(survey, hop, [...written, own], isPrivate(address));
    }),
  );
}

async function lookAt(
  survey: Survey,
  hop: Hop,
  guesses: readonly string[],
  maySweep: boolean,
): Promise<void> {
  const { ttl, address } = hop;
  const { signal } = survey;
  const byPcp = async (): Promise<void> => {
    const looked = await lookByPcp(address, guesses, maySweep, signal);
    if (looked === undefined) return;
    const { isSpoken, epochSeconds, source } = looked;
    survey.add({ method: 'portmap', ttl, protocol: 'pcp', isSpoken, epochSeconds });
    if (source !== undefined) survey.add({ method: 'pcp-source', ttl, address: source });
  };
  await Promise.all([
    survey.attempt(`PCP of ${address}`, byPcp),
    survey.attempt(`NAT-PMP of ${address}`, async () => survey.add(await lookByNatPmp(address, ttl, signal))),
    survey.attempt(`UPnP of ${address}`, async () => survey.add(await lookByUpnp(address, ttl, signal))),
  ]);
}

/** In a network of this machine's own: packets to it do not go out by the router. */
function isOnLink(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) =>
    list?.some(({ cidr, family }) => {
      if (family !== 'IPv4' || cidr === null) return false;
      const [own = '', bits = '32'] = cidr.split('/');
      const size = 2 ** (32 - Number(bits));
      const first = Math.floor((parseIpv4(own) ?? 0) / size) * size;
      return isInCidr(address, `${formatIpv4(first)}/${bits}`);
    }),
  );
}
