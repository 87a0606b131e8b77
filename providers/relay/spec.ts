import { z } from 'zod';
import { readDomain } from '../../src/core/domain.ts';
import { NAME } from '../../src/core/name.ts';
import type { RelayCarry } from '../../src/core/relay-carry.ts';
import type { ServiceKind } from '../../src/core/service.ts';
import type { TunnelSpec } from '../../src/core/tunnel-operations.ts';

const Domain = z
  .string()
  .max(253)
  .transform((written, context) => {
    const read = readDomain(written);
    if ('domain' in read && !/^[0-9.]+$/.test(read.domain)) return read.domain;
    const message = 'domain' in read ? 'must be a name: an address is not carried by a relay' : read.fault;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .describe(
    'The name at which visitors find it, of a domain of yours; it points to the relay. Kind tcp needs none.',
  );

const RelayName = z.string().regex(NAME, 'must be the name of a relay, as gateway relay list shows it');

export const Options = z.strictObject({
  relay: z
    .union([RelayName, z.array(RelayName).min(1).max(4)])
    .optional()
    .describe('Relay that carries it, or several; left out: the one that was joined.'),
  domain: Domain.optional(),
  access: z
    .enum(['anyone', 'devices'])
    .optional()
    .describe(
      'Who is let in to a page: anyone (when left out), or only devices that were added (gateway device add) and show the certificate that they were given.',
    ),
  strict: z
    .boolean()
    .optional()
    .describe(
      'Tell browsers to come by https alone, whatever they are given (HSTS); only after a visit from outside got through with the certificate, and for longer the longer that has been so. false: tell them to forget it. Left out: true.',
    ),
  port: z
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe("Kind tcp: TCP port of the relay at which visitors come in; left out: the service's own."),
});
export type Options = z.infer<typeof Options>;

export const Settings = z.strictObject({});
export type Settings = z.infer<typeof Settings>;

/** `tunnel:vps`: the way to one relay, and everything that may come in by it. */
export interface TunnelResource {
  readonly type: 'tunnel';
  readonly tunnel: TunnelSpec;
}

/** `carry:vps`: what this relay is asked to carry. */
export interface CarryResource {
  readonly type: 'carry';
  readonly relay: string;
  readonly carry: RelayCarry;
}

/** `way:shop`: the edge, or the hub, has a place for visitors whom these relays bring. */
export type WayResource = {
  readonly type: 'way';
  readonly service: string;
  /** Sorted. */
  readonly relays: readonly string[];
} & (
  | { readonly domain: string; readonly mode: 'http' | 'tcp' }
  /** Of the relay. */
  | { readonly port: number }
);

export type Spec = TunnelResource | CarryResource | WayResource;

/**
 * What the edge does for a kind behind TLS; `raw`: bytes pass from a port of the relay to the service as they are;
 * `undefined`: it is for its owner alone, and has onions with keys and tunnels for that.
 */
const MODES: Readonly<Record<ServiceKind, 'http' | 'tcp' | 'raw' | undefined>> = {
  http: 'http',
  btcpay: 'http',
  lnd: 'http',
  clnrest: 'http',
  electrum: 'tcp',
  tcp: 'raw',
  bitcoind: undefined,
  ssh: undefined,
};

export function modeOf(kind: ServiceKind): 'http' | 'tcp' | 'raw' | undefined {
  return MODES[kind];
}

export function wayKey(service: string): `way:${string}` {
  return `way:${service}`;
}

/** Visitors come in there at every relay, unless another program has the port. */
export const HTTPS = 443;
export const HTTP = 80;

/** The edge's listeners for one relay: below the range that outgoing connections use, and not what services are given. */
export function edgePorts(number: number): { readonly https: number; readonly http: number } {
  return { https: 7600 + 2 * number, http: 7601 + 2 * number };
}
