import type { Context, Fact, Observed } from '../../src/core/contract.ts';
import { whyTellAgain, type KeptCarry } from '../../src/core/carrier.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { parseEndpoint } from '../../src/core/inet.ts';
import type { OperationResult } from '../../src/core/operations.ts';
import { certificateFacts, type Facts } from '../../src/core/page-facts.ts';
import { tunnelKeyName } from '../../src/core/relay.ts';
import type { SeenTunnel } from '../../src/core/tunnel-operations.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { resolveHost } from './addresses.ts';
import { judgeName } from './name.ts';
import { blindFacts } from './blind.ts';
import { HTTPS, type Spec, wayKey } from './spec.ts';
import { judgeTunnels, verdictsOn } from './tunnels.ts';

type Edge = OperationResult<'edge.observe'>;

/** One relay, as far as it matters to what comes in by it. */
export interface SeenRelay {
  readonly name: string;
  readonly seen: SeenTunnel;
  readonly kept: KeptCarry | undefined;
  /** Public addresses at which its visitors come in, as far as they can be told. */
  readonly addresses: readonly string[];
}

/** The tunnels, what relays were asked for, and the places for visitors in edge and hub. */
export async function observe(context: Context): Promise<Observed<Spec>[]> {
  const { network, ports, signal } = context;
  const [{ tunnels }, edge, kept] = await Promise.all([
    ports.helper.call('tunnel.observe', { network }, signal),
    ports.helper.call('edge.observe', {}, signal),
    ports.carrier.kept(),
  ]);
  const relays = await Promise.all(
    tunnels.map(async (seen): Promise<SeenRelay> => {
      const name = seen.spec.relay;
      const mine = kept.find((one) => one.relay === name);
      return { name, seen, kept: mine, addresses: await addressesOf(seen, context) };
    }),
  );
  return [
    ...(await Promise.all(relays.map(({ name, seen }) => observeTunnel(name, seen, context)))),
    ...kept.map(observeCarry),
    ...(await Promise.all([...pagesIn(relays, edge), ...portsIn(relays)].map((way) => way(context)))),
  ];
}

async function addressesOf({ spec }: SeenTunnel, { ports, signal }: Context): Promise<readonly string[]> {
  const hosts = [...new Set(spec.endpoints.flatMap((text) => parseEndpoint(text)?.host ?? []))];
  const found = await Promise.all(hosts.map((host) => resolveHost(host, ports, signal)));
  return [...new Set(found.flat().filter((address) => address !== undefined))];
}

async function observeTunnel(name: string, seen: SeenTunnel, { ports }: Context): Promise<Observed<Spec>> {
  const { spec, endpoint, latestHandshake, received, sent, publicKey } = seen;
  const renew = seen.renew ?? (await whyOtherKey(name, publicKey, ports));
  const ageSeconds = Math.max(0, Math.round(ports.now() / 1000 - latestHandshake));
  return {
    key: `tunnel:${name}`,
    spec: { type: 'tunnel', tunnel: spec },
    facts: {
      publicKey,
      received,
      sent,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(latestHandshake === 0 ? {} : { handshakeAgeSeconds: ageSeconds }),
    },
    ...(renew === undefined ? {} : { renew }),
  };
}

/** A damaged or lost key is said where the tunnel is made. */
async function whyOtherKey(
  relay: string,
  publicKey: string,
  { crypto, keys }: Context['ports'],
): Promise<string | undefined> {
  const secret = await keys.read(tunnelKeyName(relay), 'curve25519').catch(unlessDamaged);
  if (secret === undefined || encodeKey(crypto.curve25519Public(secret.reveal())) === publicKey)
    return undefined;
  return 'its key was replaced';
}

function unlessDamaged(error: unknown): undefined {
  if (error instanceof GatewayError && error.code !== 'Aborted') return undefined;
  throw error;
}

function observeCarry(kept: KeptCarry): Observed<Spec> {
  const renew = whyTellAgain(kept);
  const spec = { type: 'carry', relay: kept.relay, carry: kept.asked } as const;
  return { key: `carry:${kept.relay}`, spec, facts: {}, ...(renew === undefined ? {} : { renew }) };
}

type Look = (context: Context) => Promise<Observed<Spec>>;

/** Names that the edge answers for to a relay. */
function pagesIn(relays: readonly SeenRelay[], edge: Edge): Look[] {
  return (edge.edge?.sites ?? []).flatMap(({ service, domain, mode, only }): Look[] => {
    const numbers = (edge.edge?.tunnels ?? [])
      .filter(({ domains }) => domains.includes(domain))
      .map(({ number }) => number);
    const mine = relays.filter(({ seen }) => numbers.includes(seen.number));
    if (mine.length === 0) return [];
    const shown = edge.certificates.find((one) => one.name === domain);
    const shut = edge.shut?.find(({ number }) => numbers.includes(number));
    return [
      async (context) => {
        const certificate = await certificateFacts(domain, context.ports);
        const blind = await blindFacts(domain, namesOf(mine).join(' and '), context);
        const place = await placeFacts({ domain, isHomeToo: only === undefined }, mine, context);
        const told = [place['advice'], blind['warning']].filter((each) => each !== undefined);
        return {
          key: wayKey(service),
          spec: { type: 'way', service, relays: namesOf(mine), domain, mode },
          facts: {
            ...(told.length === 0 ? {} : { notice: `${service}: ${told.join('; ')}` }),
            domain,
            running: edge.running,
            ...(shown === undefined ? {} : { fingerprint: shown.fingerprint }),
            ...(shut === undefined ? {} : { shut: shut.why }),
            ...certificate,
            ...(blind['blind'] === undefined ? {} : { blind: blind['blind'] }),
            ...place,
            ...verdictsOn(mine, (said) => said.names.find(({ name }) => name === domain)),
            tlsPort: mine.at(0)?.kept?.carrying?.tlsPort ?? HTTPS,
          },
        };
      },
    ];
  });
}

/** Ports of relays that lead to a service. */
function portsIn(relays: readonly SeenRelay[]): Look[] {
  const all = relays.flatMap((relay) => relay.seen.spec.ports.map((port) => ({ relay, ...port })));
  return [...Map.groupBy(all, ({ service }) => service)].map(([service, group]): Look => {
    return (context) => {
      const { port = 0 } = group[0] ?? {};
      const mine = group.map(({ relay }) => relay);
      const facts: Facts = {
        ...judgeTunnels(mine, context.ports.now()),
        ...verdictsOn(mine, (said) => said.ports.find(({ from }) => from === port)),
        address: mine.at(0)?.addresses.at(0) ?? '',
        number: mine.at(0)?.seen.number ?? 0,
      };
      const spec = { type: 'way', service, relays: namesOf(mine), port } as const;
      return Promise.resolve({ key: wayKey(service), spec, facts });
    };
  });
}

function namesOf(relays: readonly SeenRelay[]): string[] {
  return relays.map(({ name }) => name).sort();
}

async function placeFacts(
  { domain, isHomeToo }: { readonly domain: string; readonly isHomeToo: boolean },
  relays: readonly SeenRelay[],
  context: Context,
): Promise<Record<string, Fact>> {
  const { ports, signal } = context;
  const [found, names] = await Promise.all([resolveHost(domain, ports, signal), ports.names.kept()]);
  const name = judgeName({
    domain,
    addresses: found,
    relays: relays.map((relay) => ({ name: relay.name, addresses: relay.addresses })),
    home: isHomeToo ? ports.home.addresses().map(({ address }) => address) : [],
    isKept: names.some((kept) => kept.name.name === domain),
  });
  return {
    ...judgeTunnels(relays, ports.now()),
    address: relays.at(0)?.addresses.at(0) ?? '',
    name: name.status,
    nameReason: name.reason,
    nameMessage: name.message,
    ...(name.advice === undefined ? {} : { advice: name.advice }),
  };
}
