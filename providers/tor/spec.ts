import { z } from 'zod';
import type { Exposure } from '../../src/core/contract.ts';
import type { OnionSpec, TorrcSpec } from '../../src/core/operations.ts';
import { onionKeyName } from '../../src/core/name.ts';
import type { Service } from '../../src/core/service.ts';
import { onionInstanceOf, torInstanceOf, type TorInstance } from '../../src/core/tor-instance.ts';

/**
 * `onion:<service>`: the files of one onion service. Its address is learned from its key, so it is a fact. In another
 * process it is another resource (`onion:tor-only/<service>`): a service that moves leaves before it arrives.
 */
export interface OnionResource extends OnionSpec {
  readonly type: 'onion';
  readonly instance: TorInstance;
}

/**
 * `process:tor`, `process:tor-only`, `process:single-hop`: that tor runs, and has loaded exactly these onions. `undefined`
 * when nobody knows what it has loaded.
 */
export interface ProcessResource {
  readonly type: 'process';
  readonly instance: TorInstance;
  readonly torrc: TorrcSpec | undefined;
}

export type Spec = OnionResource | ProcessResource;

export const Options = z.strictObject({
  authorization: z
    .enum(['required', 'none'])
    .optional()
    .describe(
      'required: the onion service lets in only devices that were given it (gateway device add), each with a key of its own. none: everybody who knows the address. Without it: required for the kinds lnd and clnrest, none for all others.',
    ),
  anonymity: z
    .enum(['full', 'single-hop'])
    .default('full')
    .describe(
      'full: nobody learns where the service is. single-hop: its tor connects to the network directly instead of over three relays, which is quicker for visitors and hides nothing about where the service is; only with privacy open. Visitors stay hidden, and the address stays the same.',
    ),
  proofOfWork: z
    .enum(['on', 'off'])
    .default('off')
    .describe(
      'on: visitors solve puzzles while the service is flooded, so that a flood has its price; see providers/tor/README.md for what it costs. off: a limit of new visitors a second instead.',
    ),
});
export type Options = z.infer<typeof Options>;

/** Which of our processes serves it. */
export function instanceOf({ service, options }: Exposure): TorInstance {
  return onionInstanceOf(service, Options.parse(options).anonymity === 'single-hop');
}

/** Which of our processes visits it: by itself one that does not hide visits nothing. */
export function visitorOf({ service }: Pick<Exposure, 'service'>): TorInstance {
  return torInstanceOf(service);
}

/** `tor:` has no settings yet; torrc lines of the owner's own are in `torrc.d/*.conf`. */
export const Settings = z.strictObject({});
export type Settings = z.infer<typeof Settings>;

export function processKey(instance: TorInstance): `process:${TorInstance}` {
  return `process:${instance}`;
}

export function onionKey(service: string, instance: TorInstance): `onion:${string}` {
  return instance === 'tor' ? `onion:${service}` : `onion:${instance}/${service}`;
}

/** Name in `keys/`. It outlives the exposure, so that exposing again gives the same address. */
export const keyName = onionKeyName;

export function isWeb({ kind }: Pick<Service, 'kind'>): boolean {
  return kind === 'http' || kind === 'btcpay';
}

/** What visitors type: nothing for a web page, else the service's own port. */
export function virtualPortOf(service: Service): number {
  return isWeb(service) ? 80 : service.port;
}
