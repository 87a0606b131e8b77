import { z } from 'zod';
import type { ServiceKind } from '../../src/core/service.ts';
import { readDomain } from '../../src/core/domain.ts';

const Domain = z
  .string({ error: 'is missing: write the name at which visitors find the page, like pay.example.com' })
  .max(253)
  .transform((written, context) => {
    const read = readDomain(written);
    if ('domain' in read) return read.domain;
    context.addIssue({ code: 'custom', message: read.fault });
    return z.NEVER;
  })
  .describe(
    'The name at which visitors find it (https://NAME), of a domain of yours; or the public IPv4 address of the home.',
  );

export const Options = z.strictObject({
  domain: Domain,
  access: z
    .enum(['anyone', 'devices'])
    .optional()
    .describe(
      'Who is let in: anyone (when left out), or only devices that were added (gateway device add) and show the certificate that they were given.',
    ),
  onionLocation: z
    .boolean()
    .optional()
    .describe(
      'Tell visitors the onion address of the service, to which Tor Browser then offers to go. Only while it has one that lets everybody in. It ties the two addresses together for everybody.',
    ),
  strict: z
    .boolean()
    .optional()
    .describe(
      'Tell browsers to come by https alone, whatever they are given (HSTS); only after a visit from outside got through with the certificate, and for longer the longer that has been so. false: tell them to forget it. Left out: true. Never for an address.',
    ),
});
export type Options = z.infer<typeof Options>;

const Port = z.int().min(1).max(65535);

export const Settings = z.strictObject({
  https: Port.default(443).describe(
    'TCP port of this machine at which visitors arrive. The router opens 443 outside for it.',
  ),
  http: Port.default(80).describe(
    'TCP port of this machine for what asks without TLS: it is told the https address, and certificate authorities look there. The router opens 80 outside for it.',
  ),
  mapping: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe('Have the router open both ports by itself (PCP, NAT-PMP, UPnP), and keep them open.'),
});
export type Settings = z.infer<typeof Settings>;

/**
 * `site:shop`: the edge answers at this name for the service. Made by the parts that the provider asks; what is known of
 * name, certificate and port are facts.
 */
export interface Spec {
  readonly service: string;
  readonly domain: string;
  readonly mode: 'http' | 'tcp';
}

/** Visitors of a page type no port. */
export const HTTPS_OUTSIDE = 443;
export const HTTP_OUTSIDE = 80;

/**
 * What the edge does for a kind behind TLS; `undefined`: it makes no sense at a public name. bitcoind's RPC and ssh are for
 * their owner alone, and have onions with keys and tunnels for that.
 */
const MODES: Readonly<Record<ServiceKind, Spec['mode'] | undefined>> = {
  http: 'http',
  btcpay: 'http',
  lnd: 'http',
  clnrest: 'http',
  electrum: 'tcp',
  tcp: 'tcp',
  bitcoind: undefined,
  ssh: undefined,
};

export function modeOf(kind: ServiceKind): Spec['mode'] | undefined {
  return MODES[kind];
}

export function siteKey(service: string): `site:${string}` {
  return `site:${service}`;
}
