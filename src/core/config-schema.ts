import { z } from 'zod';
import { AnnounceSettings } from './announce.ts';
import { PART_SECTIONS } from './config-sections.ts';
import { parseEndpoint } from './inet.ts';
import { NAME } from './name.ts';
import { NotifySettings } from './notify.ts';
import { type Relay, RelaySettings } from './relay.ts';
import { NODE_ACCESS, type NodeAccess } from './node-access.ts';
import {
  EGRESSES,
  KINDS,
  PRIVACIES,
  type Egress,
  type Place,
  type Privacy,
  type ServiceKind,
} from './service.ts';

/** What the config needs to know of a provider; every `Provider` is one. `settings` must accept `{}` if it can. */
export interface ProviderSchema {
  readonly id: string;
  /** Schema of one service's `expose.<id>`. */
  readonly options: z.ZodType;
  /** Schema of the top-level section `<id>:`. */
  readonly settings: z.ZodType;
}

export interface ConfigService {
  readonly name: string;
  readonly place: Place;
  readonly port: number;
  readonly kind: ServiceKind;
  readonly privacy: Privacy;
  /** Asked by HTTP/2 without TLS; absent: by HTTP/1.1. */
  readonly backend?: 'h2c';
  /** Absent: none. */
  readonly egress?: Exclude<Egress, 'none'>;
  /** Other services that it may connect to, by name; absent: none. */
  readonly upstreams?: readonly string[];
  /** Its name leads to all its ways in at once; absent: to one of them. */
  readonly dns?: 'both';
  /** Absent: the gateway makes no credentials for devices there. */
  readonly node?: NodeAccess;
  /** Options by provider id, as the provider's schema parsed them. */
  readonly expose: Readonly<Record<string, unknown>>;
  /** Provider ids, first choice first; each of them is in `expose`. Never empty unless that is. */
  readonly fallback: readonly string[];
}

/** gateway.yaml, checked and complete. */
export interface Config {
  readonly prefix: string;
  /** `undefined`: the daemon chooses once and keeps its choice. */
  readonly pool: string | undefined;
  /** Absent: the same, for IPv6. */
  readonly ula?: string | undefined;
  /** In the order of the file. */
  readonly services: readonly ConfigService[];
  /** `host:port` of STUN servers. */
  readonly stun: readonly string[];
  /** By name. */
  readonly relays: readonly Relay[];
  /** Programs that are told each new public address; absent: none. */
  readonly programs?: readonly string[];
  /** `address:port` at which metrics are read; absent: only on the API. */
  readonly metrics?: string;
  /** Absent: nobody is told anything. */
  readonly notify?: NotifySettings;
  /** By provider or part id; absent for a provider that needs settings, has none, and is not used. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const PORT = z.int().min(1).max(65535);

/** A namespace that somebody else makes; exactly one of these (config-rules.ts says so). */
const ENTERED = z.strictObject({
  name: z.string().optional().describe('Name of an existing namespace, as `ip netns list` shows it.'),
  pid: z.int().optional().describe('A process that runs in it.'),
  container: z
    .string()
    .optional()
    .describe('Name of a container of podman or Docker; found again when it is restarted.'),
  unit: z
    .string()
    .optional()
    .describe('A systemd service with a network of its own; found again when it is restarted.'),
});
export type FileEntered = z.infer<typeof ENTERED>;

function serviceSchema(providers: readonly ProviderSchema[]) {
  const options = Object.fromEntries(
    providers.map((provider): [string, z.ZodType] => [provider.id, provider.options.optional()]),
  );
  return z.strictObject({
    namespace: z
      .union([z.string(), ENTERED])
      .optional()
      .describe(
        "Network namespace that the gateway makes for this service; default: the service's own name. `host`: the machine's own network, not isolated. A section with one of `name`, `pid`, `container`, `unit`: a namespace that exists already, to which the gateway adds one interface.",
      ),
    port: PORT.optional().describe('TCP port that the service listens on.'),
    target: z
      .string()
      .optional()
      .describe(
        'Address and port on another machine, such as 192.168.1.20:443; not isolated. Instead of `namespace` and `port`.',
      ),
    kind: z.enum(KINDS).default('tcp').describe('What the service speaks.'),
    backend: z
      .enum(['http1', 'h2c'])
      .default('http1')
      .describe(
        'How a service of kind http is asked: by HTTP/1.1, or by HTTP/2 without TLS (h2c), as gRPC needs it. Visitors may use either.',
      ),
    privacy: z
      .enum(PRIVACIES)
      .default('open')
      .describe('What the ways in may show of the home; a way that shows more is refused.'),
    egress: z
      .enum(EGRESSES)
      .default('none')
      .describe(
        'What the service may reach by itself: nothing, the internet through Tor, or the internet directly, which shows it the address of the home. Never this machine, its LAN or another service.',
      ),
    upstreams: z
      .array(z.string())
      .default([])
      .describe(
        'Other services that this one may connect to, by name, such as [btcpay]; each at its own port, and found under its name.',
      ),
    node: NODE_ACCESS.optional().describe(
      'LND and Core Lightning: how the gateway asks the node for credentials, one for each device, made with `gateway qr NAME --wallet zeus --device PHONE` and revoked with the device.',
    ),
    dns: z
      .literal('both')
      .optional()
      .describe(
        'Where clearnet and relay have the same domain: its record in DNS has the addresses of both, so that visitors go to either. Without it, the zone must be under the section `dns`.',
      ),
    expose: z.strictObject(options).prefault({}).describe('Ways in: provider and its options.'),
    fallback: z
      .array(z.string())
      .default([])
      .describe(
        'Order in which ways in are used, first choice first; each must be in `expose`. When the one in use fails, the next that works takes over; a way that is not listed never does. Default: the order in `expose`, with tor last.',
      ),
  });
}

/** gateway.yaml as written: what `config.ts` turns into a `Config`. */
export function fileSchema(providers: readonly ProviderSchema[]) {
  const settings = Object.fromEntries(
    providers.map((provider): [string, z.ZodType] => [provider.id, provider.settings.optional()]),
  );
  const ofParts = PART_SECTIONS.map(({ id, settings }): [string, z.ZodType] => [id, settings.optional()]);
  return z.strictObject({
    instance: z
      .string()
      .regex(/^[a-z][a-z0-9]{0,3}$/, 'must be 1 to 4 characters of a to z and 0 to 9, starting with a letter')
      .default('gw')
      .describe('Starts the name of everything that this gateway makes on the machine.'),
    pool: z
      .string()
      .optional()
      .describe('Private IPv4 block, /16 to /24, for services and devices; chosen once when left out.'),
    ula: z
      .string()
      .optional()
      .describe(
        'Block of unique local IPv6 addresses, /48, such as fd12:3456:789a::/48; chosen once, at random, when left out.',
      ),
    services: z
      .record(z.string().regex(NAME), serviceSchema(providers))
      .default({})
      .describe('What is to be reached, by name.'),
    stun: z
      .array(
        z
          .string()
          .max(270)
          .refine((text) => parseEndpoint(text) !== undefined, {
            error: 'must be host:port, like stun.example.net:3478',
          }),
      )
      .max(8)
      .default([])
      .describe(
        'STUN servers that are asked at which address they see this home, once a minute at most; best two of different operators. They learn that address. None is asked unless it stands here.',
      ),
    announce: AnnounceSettings.prefault({}).describe('Who else is told when the home is at a new address.'),
    notify: NotifySettings.optional().describe('Who is told when something is wrong.'),
    metrics: z
      .strictObject({
        listen: z
          .string()
          .refine((text) => ['ipv4', 'ipv6'].includes(parseEndpoint(text)?.type ?? ''), {
            error: 'must be an address and a port, like 127.0.0.1:9469',
          })
          .describe('Address and port at which Prometheus reads /metrics, such as 127.0.0.1:9469.'),
      })
      .optional()
      .describe('What is measured, on a port of its own; the API has it in any case: docs/metrics.md.'),
    relays: z
      .record(z.string().regex(NAME), RelaySettings)
      .default({})
      .describe('Machines outside that look whether ways in work; written by `gateway relay join`.'),
    ...settings,
    ...Object.fromEntries(ofParts),
  });
}

export type FileService = z.infer<ReturnType<typeof serviceSchema>>;

/** For editors: completion and checks while gateway.yaml is typed. */
export function configJsonSchema(providers: readonly ProviderSchema[]): Record<string, unknown> {
  return {
    ...z.toJSONSchema(fileSchema(providers), { io: 'input', unrepresentable: 'any' }),
    title: 'gateway.yaml',
  };
}
