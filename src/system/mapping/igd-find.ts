import { GatewayError } from '../../core/errors.ts';
import { formatEndpoint, isPublicUnicast } from '../../core/inet.ts';
import { isRouterAddress, MappingError } from '../../core/mapping.ts';
import {
  parseDescription,
  parsePlace,
  type IgdDescription,
  type IgdService,
} from '../../wire/igd-description.ts';
import { parseConnectionType, parseExternalAddress, parseStatus } from '../../wire/igd-mapping.ts';
import { callIgd, type Called } from './igd-call.ts';
import { aborted, askRouterByHttp } from './router-http.ts';
import { searchRouter } from './ssdp-search.ts';

/** What a connection said of itself when it was last asked. */
export interface IgdState {
  readonly isConnected: boolean;
  readonly uptimeSeconds: number | undefined;
  /** `undefined`: it has none, or says what cannot be one. */
  readonly externalAddress: string | undefined;
}

export interface Igd extends Called {
  /** URL of its description, to ask first the next time. */
  readonly location: string;
  readonly bootId: number | undefined;
  readonly description: IgdDescription;
  readonly state: IgdState;
}

/**
 * Descriptions that are asked for when nothing was found by SSDP, which snooping switches and firewalls lose: those of
 * miniupnpd (OpenWrt and many more), FRITZ!Box, TP-Link, libupnp's gateways, Netgear.
 */
const KNOWN_DESCRIPTIONS: readonly string[] = [
  ':5000/rootDesc.xml',
  ':49000/igddesc.xml',
  ':1900/igd.xml',
  ':1900/rootDesc.xml',
  ':49152/gatedesc.xml',
  ':56688/rootDesc.xml',
];

/** Which version is preferred: an IP connection, then PPP; of each the highest. */
const PREFERENCE = ['WANIPConnection', 'WANPPPConnection'];

interface Source {
  readonly location: string;
  readonly bootId?: number | undefined;
  /** Nobody said that it is there. */
  readonly isGuess?: boolean;
}

/**
 * Finds the connection that leads to the internet. Some routers describe several, the first of them unused (tailscale
 * #10911, Huawei); so the first that is up and has an address is taken, otherwise the best of all.
 */
export async function findIgd(router: string, known: string | undefined, signal: AbortSignal): Promise<Igd> {
  let best: Igd | undefined;
  let answered: MappingError | undefined;
  for await (const source of sources(router, known, signal)) {
    const found = await inspect(router, source, signal).catch((error: unknown) => {
      const failure = mappingErrorOf(error);
      if (source.isGuess !== true) answered = failure;
      return undefined;
    });
    if (found === undefined) continue;
    if (scoreOf(found) > (best === undefined ? -1 : scoreOf(best))) best = found;
    if (scoreOf(found) >= IS_UP) return found;
  }
  if (signal.aborted) throw aborted(router, signal);
  if (best !== undefined) return best;
  throw answered ?? nothing(router);
}

function nothing(router: string): MappingError {
  return new MappingError(`${router} does not answer UPnP`, {
    refusal: 'silent',
    hint: 'switch on UPnP ("Internet Gateway Device", "allow port sharing") in the router\'s own pages',
  });
}

/** A cancelled search is not a router's failure. */
function mappingErrorOf(error: unknown): MappingError {
  if (error instanceof MappingError) return error;
  throw error;
}

async function* sources(
  router: string,
  known: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Source, void, undefined> {
  if (known !== undefined) yield { location: known };
  let isSilent = true;
  for await (const { location, bootId } of searchRouter(router, signal)) {
    isSilent = false;
    yield { location, bootId };
  }
  if (!isSilent || signal.aborted) return;
  for (const place of KNOWN_DESCRIPTIONS) yield { location: `http://${router}${place}`, isGuess: true };
}

/** `undefined`: not a gateway. */
async function inspect(router: string, source: Source, signal: AbortSignal): Promise<Igd | undefined> {
  const place = parsePlace(source.location, undefined);
  if (place === undefined) return undefined;
  const { body } = await askRouterByHttp(
    { router, place, timeoutMs: source.isGuess === true ? 800 : 3000 },
    signal,
  );
  // Read at the address that was asked, whatever host the router gave itself (tailscale #5502).
  const location = `http://${formatEndpoint({ host: router, port: place.port })}${place.path}`;
  const description = parseDescription(body, location);
  if (description === undefined) return undefined;
  let best: Igd | undefined;
  for (const service of connectionsOf(description)) {
    const state = await readState({ router, service }, signal);
    const found = { router, service, location, bootId: source.bootId, description, state };
    if (best === undefined || scoreOf(found) > scoreOf(best)) best = found;
  }
  return best;
}

function connectionsOf({ services }: IgdDescription): IgdService[] {
  return services
    .filter(({ name }) => PREFERENCE.includes(name))
    .sort((a, b) => PREFERENCE.indexOf(a.name) - PREFERENCE.indexOf(b.name) || b.version - a.version);
}

const IS_UP = 2;

/** 0: not connected; 1: connected without an address; 2: with one; 3: with one that is public. */
function scoreOf({ state, router }: Igd): number {
  if (!state.isConnected) return 0;
  if (state.externalAddress === undefined || state.externalAddress === router) return 1;
  return isPublicUnicast(state.externalAddress) ? 3 : IS_UP;
}

/** A router that answers neither question is not up, which is no reason not to ask it for a port. */
export async function readState(called: Called, signal: AbortSignal): Promise<IgdState> {
  const ask = (action: string): Promise<ReadonlyMap<string, string>> =>
    callIgd(called, action, [], signal).catch((error: unknown) => {
      mappingErrorOf(error);
      return new Map();
    });
  const status = parseStatus(await ask('GetStatusInfo'));
  const address = parseExternalAddress(await ask('GetExternalIPAddress'));
  return { ...status, externalAddress: plausible(called.router, address) };
}

/** Some routers name their own address in the home (go-libp2p #769), or 0.0.0.0 while the line is down. */
export function plausible(router: string, address: string | undefined): string | undefined {
  return address === undefined || address === router || !isRouterAddress(address) ? undefined : address;
}

/** Why a connection maps nothing although it answers; `undefined` when it does not tell. */
export async function explainNoAddress(igd: Igd, signal: AbortSignal): Promise<string | undefined> {
  try {
    const type = parseConnectionType(await callIgd(igd, 'GetConnectionTypeInfo', [], signal));
    if (type === 'bridged') return 'it works as a bridge: another box makes the connection';
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
  return igd.state.isConnected ? undefined : 'it says that it is not connected';
}
