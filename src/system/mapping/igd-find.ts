import { GatewayError } from '../../core/errors.ts';
import { isPublicUnicast } from '../../core/inet.ts';
import { isRouterAddress, MappingError } from '../../core/mapping.ts';
import type { IgdDescription, IgdService } from '../../wire/igd-description.ts';
import { parseConnectionType, parseExternalAddress, parseStatus } from '../../wire/igd-mapping.ts';
import { callIgd, type Called } from './igd-call.ts';
import { descriptionsOf, mappingErrorOf, type Asked, type FoundDescription } from './igd-descriptions.ts';

/** What a connection said of itself when it was last asked. */
export interface IgdState {
  readonly isConnected: boolean;
  readonly uptimeSeconds: number | undefined;
  /** `undefined`: it has none, or says what cannot be one. */
  readonly externalAddress: string | undefined;
}

export interface Igd extends Called, FoundDescription {
  readonly state: IgdState;
}

/** Which version is preferred: an IP connection, then PPP; of each the highest. */
const PREFERENCE = ['WANIPConnection', 'WANPPPConnection'];

/**
 * Finds the connection that leads to the internet. Some routers describe several, the first of them unused (tailscale
 * #10911, Huawei); so the first that is up and has an address is taken, otherwise the best of all.
 */
export async function findIgd(asked: Asked, signal: AbortSignal): Promise<Igd> {
  const { router } = asked;
  let best: Igd | undefined;
  for await (const found of descriptionsOf(asked, signal)) {
    const igd = await inspect(router, found, signal);
    if (igd === undefined) continue;
    if (best === undefined || scoreOf(igd) > scoreOf(best)) best = igd;
    if (scoreOf(igd) >= IS_UP) return igd;
  }
  if (best !== undefined) return best;
  throw new MappingError(`${router} speaks UPnP, but has no connection to the internet in it`, {
    refusal: 'unsupported',
  });
}

/** `undefined`: not a gateway. */
async function inspect(
  router: string,
  found: FoundDescription,
  signal: AbortSignal,
): Promise<Igd | undefined> {
  let best: Igd | undefined;
  for (const service of connectionsOf(found.description)) {
    const state = await readState({ router, service }, signal);
    const igd = { ...found, router, service, state };
    if (best === undefined || scoreOf(igd) > scoreOf(best)) best = igd;
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
