import { formatEndpoint } from '../../core/inet.ts';
import { MappingError } from '../../core/mapping.ts';
import {
  parseDescription,
  parsePlace,
  type IgdDescription,
  type RouterPlace,
} from '../../wire/igd-description.ts';
import { aborted, askRouterByHttp } from './router-http.ts';
import { searchRouter, type Search } from './ssdp-search.ts';

/**
 * Descriptions that are asked for when nothing was found by SSDP, which snooping switches and firewalls lose: those of
 * miniupnpd (OpenWrt and many more), FRITZ!Box, TP-Link, libupnp's gateways, Netgear.
 */
const KNOWN_DESCRIPTIONS: readonly RouterPlace[] = [
  { port: 5000, path: '/rootDesc.xml' },
  { port: 49_000, path: '/igddesc.xml' },
  { port: 1900, path: '/igd.xml' },
  { port: 1900, path: '/rootDesc.xml' },
  { port: 49_152, path: '/gatedesc.xml' },
  { port: 56_688, path: '/rootDesc.xml' },
];

export interface FoundDescription {
  /** URL of it, to ask first the next time. */
  readonly location: string;
  readonly bootId: number | undefined;
  readonly description: IgdDescription;
}

export interface Asked extends Search {
  /** URL that was found the last time. */
  readonly known?: string | undefined;
  /** Ours, from which it is asked; left out: any. */
  readonly from?: string;
  /** Where nothing answers, should the usual places be tried? Left out: yes. */
  readonly mayGuess?: boolean;
}

interface Source {
  readonly location: string;
  readonly bootId?: number | undefined;
  /** Nobody said that it is there. */
  readonly isGuess?: boolean;
}

/**
 * Descriptions of a router, as they are found. What cannot be read is passed over; when nothing can be, the reason is
 * thrown at the end.
 */
export async function* descriptionsOf(
  asked: Asked,
  signal: AbortSignal,
): AsyncGenerator<FoundDescription, void, undefined> {
  let answered: MappingError | undefined;
  let isAny = false;
  for await (const source of sources(asked, signal)) {
    try {
      const found = await read(asked, source, signal);
      if (found === undefined) continue;
      isAny = true;
      yield found;
    } catch (error) {
      const failure = mappingErrorOf(error);
      if (source.isGuess !== true) answered = failure;
    }
  }
  if (signal.aborted) throw aborted(asked.router, signal);
  if (!isAny) throw answered ?? nothing(asked.router);
}

function nothing(router: string): MappingError {
  return new MappingError(`${router} does not answer UPnP`, {
    refusal: 'silent',
    hint: 'switch on UPnP ("Internet Gateway Device", "allow port sharing") in the router\'s own pages',
  });
}

/** A cancelled search is not a router's failure. */
export function mappingErrorOf(error: unknown): MappingError {
  if (error instanceof MappingError) return error;
  throw error;
}

async function* sources(asked: Asked, signal: AbortSignal): AsyncGenerator<Source, void, undefined> {
  const { router, known, mayGuess = true } = asked;
  if (known !== undefined) yield { location: known };
  let isSilent = true;
  for await (const { location, bootId } of searchRouter(asked, signal)) {
    isSilent = false;
    yield { location, bootId };
  }
  if (!isSilent || !mayGuess || signal.aborted) return;
  for (const { port, path } of KNOWN_DESCRIPTIONS)
    yield { location: `http://${formatEndpoint({ host: bare(router), port })}${path}`, isGuess: true };
}

/** `undefined`: no description. Read at the address that was asked, whatever host it names (tailscale #5502). */
async function read(
  { router, from }: Asked,
  { location, bootId, isGuess = false }: Source,
  signal: AbortSignal,
): Promise<FoundDescription | undefined> {
  const place = parsePlace(location, undefined);
  if (place === undefined) return undefined;
  const timeoutMs = isGuess ? GUESS_MS : READ_MS;
  const { body } = await askRouterByHttp(
    { router, place, timeoutMs, ...(from === undefined ? {} : { from }) },
    signal,
  );
  const own = `http://${formatEndpoint({ host: bare(router), port: place.port })}${place.path}`;
  const description = parseDescription(body, own);
  return description === undefined ? undefined : { location: own, bootId, description };
}

const READ_MS = 3000;
const GUESS_MS = 800;

/** A link-local address has its interface behind it, which no URL has. */
function bare(router: string): string {
  return router.split('%', 1)[0] ?? router;
}
