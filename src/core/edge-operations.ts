import { z } from 'zod';
import { isHostName } from './inet.ts';
import { NAME } from './name.ts';
import { NetworkSpec } from './network-spec.ts';
import { TOR_INSTANCES } from './tor-instance.ts';

/** What the helper does with HAProxy; a part of the list in operations.ts. */
const Name = z.string().regex(NAME);
const PortNumber = z.int().min(1).max(65535);
const Ipv4 = z.ipv4();
const IpAddress = z.union([Ipv4, z.ipv6()]);
const Done = z.object({});
const Empty = z.strictObject({});

/** Services that are not served although they were asked for, and why: a port that is taken. */
const Left = z.array(z.object({ service: z.string(), reason: z.string() }));

/** Lower case, no dot at the end: it becomes a file name, a key of a map and a word of the configuration. */
const DnsName = z
  .string()
  .refine((text) => isHostName(text) && text.toLowerCase() === text, 'must be a DNS name in lower case');

/** A name that visitors ask for: DNS name or IP literal. */
export const Domain = z.union([DnsName, IpAddress]);

/** A name that a certificate is for: also `*.example.com`. */
export const CertificateName = z.union([
  Domain,
  z.string().refine((text) => text.startsWith('*.') && DnsName.safeParse(text.slice(2)).success),
]);

/** One service on another machine: what arrives at its pool address is carried on to it. */
export const EdgeRoute = z.strictObject({
  service: Name,
  /** Its address in the pool, on the host's end of the link to the hub. */
  address: Ipv4,
  port: PortNumber,
  to: z.strictObject({ host: IpAddress, port: PortNumber }),
});
export type EdgeRoute = z.infer<typeof EdgeRoute>;

/** Asked by HTTP/2 without TLS; absent: by HTTP/1.1. */
const Backend = z.literal('h2c').optional();

/** One web name, and the service behind it. */
export const EdgeSite = z.strictObject({
  service: Name,
  domain: Domain,
  /** `http`: requests are seen and headers set; `tcp`: TLS ends here, bytes pass as they are. */
  mode: z.enum(['http', 'tcp']),
  /** `devices`: only where a certificate of a device is shown. */
  access: z.enum(['anyone', 'devices']),
  /** The service itself speaks TLS, with a certificate of its own making. */
  speaksTls: z.literal(true).optional(),
  backend: Backend,
  /** What no visitor may ask of it: of a Lightning node's wallet, to be opened or made. */
  guard: z.literal('wallet').optional(),
  /** Answers name the service's onion address, while it has one that lets everybody in. */
  onionLocation: z.literal(true).optional(),
  /** Not at the ports of this machine: who looks there learns nothing of it. */
  only: z.literal('relay').optional(),
  /** Browsers are told to forget that they may come by https alone; absent: they are told, once that was proved to work. */
  strict: z.literal('off').optional(),
  to: z.strictObject({ host: IpAddress, port: PortNumber }),
});
export type EdgeSite = z.infer<typeof EdgeSite>;

/** A device that shows a client certificate, and at which sites `access: devices` lets it in. */
export const EdgeClient = z.strictObject({
  name: Name,
  /** SHA-256 of its certificate, hex. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** Sorted. */
  services: z.array(Name).min(1),
  /** Those of them at which it may ask what `guard` keeps from others. Sorted. */
  unlocks: z.array(Name).min(1).optional(),
});
export type EdgeClient = z.infer<typeof EdgeClient>;

/** One onion service whose requests the edge sees; its visitors come by a socket that only tor can reach. */
export const EdgeOnion = z.strictObject({
  service: Name,
  /** Which tor process serves it. */
  instance: z.enum(TOR_INSTANCES),
  backend: Backend,
  to: z.strictObject({ host: IpAddress, port: PortNumber }),
});
export type EdgeOnion = z.infer<typeof EdgeOnion>;

/** One page that devices ask for at its address in the pool; they come through the hub to the edge. */
export const EdgeDoor = z.strictObject({
  service: Name,
  backend: Backend,
  address: Ipv4,
  port: PortNumber,
  to: z.strictObject({ host: IpAddress, port: PortNumber }),
});
export type EdgeDoor = z.infer<typeof EdgeDoor>;

/** Ports of this machine at which visitors of web names arrive. */
export const EdgeListen = z.strictObject({ https: PortNumber, http: PortNumber });
export type EdgeListen = z.infer<typeof EdgeListen>;

/** Where one relay's visitors arrive, by PROXY protocol and from the hub alone: ports of the edge's own address. */
export const EdgeTunnel = z.strictObject({
  number: z.int().min(0).max(99),
  /** The hub, which lets nobody but this relay connect. */
  from: Ipv4,
  https: PortNumber,
  http: PortNumber,
  /** Sorted; the relay is answered for no others. */
  domains: z.array(DnsName).min(1),
});
export type EdgeTunnel = z.infer<typeof EdgeTunnel>;
/** One certificate and nothing else, as PEM. */
const CertificatePem = z
  .string()
  .max(4096)
  .regex(/^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n$/);

/** What HAProxy's configuration is made of, apart from paths and certificates. */
export const EdgeSpec = z.strictObject({
  /** Nobody else may connect to a route: the host also takes packets for pool addresses that come from its own LAN. */
  devices: z.cidrv4(),
  /** Source address of connections to services in the pool. */
  source: Ipv4,
  pool: z.cidrv4(),
  /** Sorted by service. */
  routes: z.array(EdgeRoute),
  /** Sorted by domain. */
  sites: z.array(EdgeSite),
  /** Sorted by service; absent: none. */
  onions: z.array(EdgeOnion).optional(),
  /** Services sorted; absent: no device is brought to the edge. */
  doors: z.strictObject({ network: NetworkSpec, services: z.array(EdgeDoor) }).optional(),
  /** Absent: no site is reached by a port of this machine. */
  listen: EdgeListen.optional(),
  /** Sorted by number; absent: none. */
  tunnels: z.array(EdgeTunnel).min(1).optional(),
  /** Who made the certificates of devices; without it no device is let in where only devices are. */
  authority: CertificatePem.optional(),
});
export type EdgeSpec = z.infer<typeof EdgeSpec>;

const MAX_PEM = 128 * 1024;

/** Certificate, chain and key as one text, so that they can never differ. Carries no line that is not PEM. */
const Pem = z.string().max(MAX_PEM).refine(isPem, 'must be PEM: certificates and one private key');

function isPem(text: string): boolean {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  const isLine = (line: string): boolean =>
    /^-----(BEGIN|END) (CERTIFICATE|(RSA |EC )?PRIVATE KEY)-----$/.test(line) ||
    /^[A-Za-z0-9+/]{1,76}={0,2}$/.test(line);
  return lines.every(isLine) && lines.filter((line) => /^-----BEGIN .*KEY-/.test(line)).length === 1;
}

/** RFC 8555 8.1 and 8.3: base64url, nothing else. */
const Token = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);
const KeyAuthorization = z.string().regex(/^[A-Za-z0-9_-]{1,128}\.[A-Za-z0-9_-]{1,64}$/);

export const EDGE_OPERATIONS = {
  /**
   * Renders HAProxy's configuration, owned by root; HAProxy itself must accept it, as its own user, before it replaces
   * the old one. A route whose port is taken on this machine is left out. Does not reload.
   */
  'edge.write': {
    input: z.strictObject({ network: NetworkSpec, edge: EdgeSpec }),
    result: z.object({ configHash: z.string(), left: Left }),
  },
  /** What is on disk and what runs; no secrets. */
  'edge.observe': {
    input: Empty,
    result: z.object({
      /** The process lives and its socket answers. */
      running: z.boolean(),
      /** What is wrong when it does not run: 'process 42 does not answer'. */
      trouble: z.string().optional(),
      /** Hash of the configuration on disk. */
      configHash: z.string().optional(),
      /** Hash of the configuration that the running process has loaded, as it says itself. */
      loadedHash: z.string().optional(),
      /** Open connections, both ends of each counted once. */
      connections: z.number().optional(),
      /** What was asked for by the last `edge.write`; absent when the file is not as we would write it. */
      edge: EdgeSpec.optional(),
      left: Left,
      /** Ports at which visitors of web names really arrive. */
      listen: EdgeListen.optional(),
      /** Why these are not the ones that were asked for: which program has which port. */
      taken: z.array(z.string()),
      /** Tunnels to relays whose visitors cannot be taken, and why; absent: none. */
      shut: z.array(z.object({ number: z.number(), why: z.string() })).optional(),
      /** Why it must be loaded again: a port that was taken is free. */
      renew: z.string().optional(),
      /** Devices that it lets in by their certificates. */
      clients: z.array(EdgeClient),
      /** What it shows to visitors, and has on disk for its next start. */
      certificates: z.array(
        z.object({
          name: z.string(),
          /** SHA-256 of the leaf, hex. */
          fingerprint: z.string(),
        }),
      ),
    }),
  },
  /** Starts HAProxy in a session of its own, or has the running one load its configuration; connections stay open. */
  'edge.load': { input: Empty, result: z.object({ started: z.boolean(), left: Left }) },
  /** Ends HAProxy, open connections too, and removes its configuration; certificates stay until they are removed. */
  'edge.stop': { input: Empty, result: Done },
  /**
   * A visit from outside got through to this name with its certificate: from now on browsers are told to come by https
   * alone, for longer the longer that has been so. Does nothing where the config says otherwise.
   */
  'edge.proved': { input: z.strictObject({ name: Domain }), result: Done },
  /** Ends what visitors of a web name have open with a service, also what was open before it lost the name. */
  'edge.cut': { input: z.strictObject({ service: Name }), result: Done },
  /** Lets a device in at sites for devices, and at no others; what it has open at those that it loses ends at once. */
  'edge.client': { input: z.strictObject({ client: EdgeClient }), result: Done },
  /** The same for a device that is let in nowhere any more. Twice is fine, and without HAProxy too. */
  'edge.client.remove': { input: z.strictObject({ name: Name }), result: Done },
  /** Keeps a certificate and shows it to visitors from now on, without a reload. Replaces the one before. */
  'edge.certificate': { input: z.strictObject({ name: CertificateName, pem: Pem }), result: Done },
  'edge.certificate.remove': { input: z.strictObject({ name: CertificateName }), result: Done },
  /**
   * Has the running HAProxy answer one challenge of RFC 8555 or RFC 8737 by itself, until it is removed or HAProxy loads
   * another configuration. `EdgeUnavailable` when it does not run.
   */
  'edge.challenge': {
    input: z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('http-01'),
        name: Domain,
        token: Token,
        response: KeyAuthorization,
      }),
      z.strictObject({ type: z.literal('tls-alpn-01'), name: Domain, pem: Pem }),
    ]),
    result: Done,
  },
  /** Twice is fine, and without HAProxy too. */
  'edge.challenge.remove': {
    input: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('http-01'), name: Domain, token: Token }),
      z.strictObject({ type: z.literal('tls-alpn-01'), name: Domain }),
    ]),
    result: Done,
  },
} as const satisfies Record<string, { input: z.ZodType; result: z.ZodType }>;
