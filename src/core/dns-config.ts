import { z } from 'zod';
import { isHostName, parseIpv4 } from './inet.ts';
import { zoneOf } from './names.ts';

/** RFC 8945 6; older ones are broken or dying. */
export const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];

/** The section `dns:` of gateway.yaml: who may be asked to change which zone. */
const CredentialFile = z
  .string()
  .startsWith('/', 'must be the absolute path of a file')
  .describe('File that holds the secret alone, readable by the user of the daemon and nobody else.');

const Server = z
  .url({ protocol: /^https$/, error: 'must be an address that starts with https://' })
  .describe('Where it is asked, when that is not the usual place.');

const DnsServer = z
  .string()
  .refine((text) => parseDnsServer(text) !== undefined, {
    error: 'must be a name or IPv4 address of a server, with or without its port',
  })
  .describe("The zone's primary server: host or host:port.");

export const DnsAccess = z.discriminatedUnion('host', [
  z.strictObject({
    host: z.literal('desec'),
    credential: CredentialFile,
    server: Server.default('https://desec.io'),
  }),
  z.strictObject({
    host: z.literal('cloudflare'),
    credential: CredentialFile,
    server: Server.default('https://api.cloudflare.com/client/v4'),
  }),
  z.strictObject({
    host: z.literal('duckdns'),
    credential: CredentialFile,
    server: Server.default('https://www.duckdns.org'),
  }),
  z.strictObject({
    host: z.literal('dyndns2'),
    user: z.string().min(1).max(200).describe('Name of the account.'),
    credential: CredentialFile,
    server: Server,
  }),
  z.strictObject({
    host: z.literal('rfc2136'),
    server: DnsServer,
    key: z.string().refine(isHostName, 'must be the name of a TSIG key').describe('Name of the TSIG key.'),
    algorithm: z
      .enum(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'])
      .default('hmac-sha256')
      .describe('Algorithm of the TSIG key.'),
    credential: CredentialFile,
  }),
  z.strictObject({
    host: z.literal('command'),
    command: z
      .string()
      .startsWith('/', 'must be the absolute path of a program')
      .describe('Program that makes the change: docs/names.md says what it is told.'),
    credential: CredentialFile.optional(),
  }),
]);
export type DnsAccess = z.infer<typeof DnsAccess>;

const Name = z
  .string()
  .refine((text) => isHostName(text) && text.includes('.') && text === text.toLowerCase(), {
    error: 'must be a whole DNS name in lower case, like home.example.net',
  });

export const DnsSettings = z
  .strictObject({
    home: Name.optional().describe(
      "Name that is kept at the home's public address, and that devices are told; its zone must be in `zones`.",
    ),
    wildcard: z
      .boolean()
      .default(false)
      .describe('Keep every name below `home` (shop.home.example.net) at the same address too.'),
    zones: z
      .record(Name, DnsAccess)
      .default({})
      .describe('Zones in which records may be changed, and who is asked to change them.'),
  })
  .refine(({ home, zones }) => home === undefined || zoneOf(home, Object.keys(zones)) !== undefined, {
    path: ['home'],
    error: 'must be in one of `zones`, which says who is asked to change it',
  });
export type DnsSettings = z.infer<typeof DnsSettings>;

/** `ns1.example.net`, `11.4.0.53` or either with `:5353`. */
export function parseDnsServer(text: string): { host: string; port: number } | undefined {
  const match = /^([^:]+?)(?::([1-9][0-9]{0,4}))?$/.exec(text);
  const host = match?.[1] ?? '';
  const port = Number(match?.[2] ?? 53);
  const isHost = parseIpv4(host) !== undefined || isHostName(host);
  return isHost && port <= 65_535 ? { host, port } : undefined;
}
