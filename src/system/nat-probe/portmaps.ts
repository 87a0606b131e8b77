import { formatEndpoint } from '../../core/inet.ts';
import { isRouterAddress, MappingError } from '../../core/mapping.ts';
import type { PortmapSeen } from '../../doctor/nat/measurement.ts';
import {
  encodeAddressRequest,
  NAT_PMP_PORT,
  parseNatPmpAnswer,
  type NatPmpAnswer,
} from '../../wire/nat-pmp.ts';
import { askRouter } from '../mapping/ask-router.ts';
import { findIgd } from '../mapping/igd-find.ts';

const SENDS = 3;

/** What a router says of itself by NAT-PMP; nothing is mapped. `undefined`: it is silent, and might yet speak. */
export async function lookByNatPmp(
  router: string,
  ttl: number,
  signal: AbortSignal,
): Promise<PortmapSeen | undefined> {
  const accept = (received: Uint8Array): NatPmpAnswer | undefined => {
    const found = parseNatPmpAnswer(received);
    return found?.type === 'mapping' ? undefined : found;
  };
  const question = { router, port: NAT_PMP_PORT, bytes: encodeAddressRequest(), accept, protocol: 'NAT-PMP' };
  try {
    const answer = await askRouter({ ...question, sends: SENDS }, signal);
    const about = { method: 'portmap', ttl, protocol: 'nat-pmp' } as const;
    if (answer.type !== 'address') return { ...about, isSpoken: false };
    const { address, result, epochSeconds } = answer;
    const isTold = result === 0 && isRouterAddress(address);
    return { ...about, isSpoken: true, epochSeconds, external: isTold ? address : undefined };
  } catch (error) {
    return unlessSilent(error, { method: 'portmap', ttl, protocol: 'nat-pmp', isSpoken: false });
  }
}

/** What a router says of itself by UPnP. Farther out only what is sent to itself reaches it. */
export async function lookByUpnp(
  router: string,
  ttl: number,
  signal: AbortSignal,
): Promise<PortmapSeen | undefined> {
  const about = { method: 'portmap', ttl, protocol: 'upnp' } as const;
  try {
    const { description, state } = await findIgd({ router, isFar: ttl > 1, mayGuess: ttl === 1 }, signal);
    const { friendlyName, manufacturer, model, presentation } = description;
    const page =
      presentation === undefined
        ? undefined
        : `http://${formatEndpoint({ host: router, port: presentation.port })}${presentation.path}`;
    return {
      ...about,
      isSpoken: true,
      external: state.externalAddress,
      model: friendlyName || `${manufacturer} ${model}`.trim() || undefined,
      page,
    };
  } catch (error) {
    return unlessSilent(error, { ...about, isSpoken: false });
  }
}

/** `unsupported`: it said that it does not speak it, or that nothing listens there. */
function unlessSilent(error: unknown, no: PortmapSeen): PortmapSeen | undefined {
  if (!(error instanceof MappingError)) throw error;
  return error.refusal === 'unsupported' ? no : undefined;
}
