import { z } from 'zod';
import { CertificateReport } from '../core/certificate.ts';
import { HANDOUT_KINDS, type Handout as HandoutShape } from '../core/contract.ts';
import type * as edits from '../core/config-edit.ts';
import type * as control from '../core/control.ts';
import { ERROR_CODES, type ErrorCode } from '../core/errors.ts';
import { DnsAccess } from '../core/dns-config.ts';
import { JournalEvent } from '../core/events.ts';
import { isHostName } from '../core/inet.ts';
import { NAME, NAME_HINT, nameFault, quote } from '../core/name.ts';
import { TOKEN_KINDS } from '../core/node-access.ts';
import { DEVICE_RIGHTS, RIGHTS } from '../core/rights.ts';
import { EGRESSES, ENTERED_BY, KINDS, PRIVACIES } from '../core/service.ts';
import { AddressStatus, DeviceStatus, RelayStatus, Status } from '../core/status.ts';
import { RelayWalked } from '../core/relay-walk.ts';

/**
 * Every request and response of the API. `satisfies` ties each to the interface in src/core, so that a change there
 * does not compile until it is made here too. Requests are strict: an unknown field is an error.
 */

export const Name = z.string().regex(NAME, {
  error: ({ input }) =>
    typeof input === 'string' ? `${quote(input)} ${nameFault(input) ?? ''}; ${NAME_HINT}` : NAME_HINT,
});
const Port = z.int().min(1).max(65535);

/** `Internal` is a bug of ours; every other code is a failure of the outside world. */
const CODES = [...(Object.keys(ERROR_CODES) as ErrorCode[]), 'Internal'] as const;
export const ErrorBody = z
  .object({ code: z.enum(CODES), message: z.string(), hint: z.string().nullable() })
  .meta({ id: 'Error' });
export type ErrorBody = z.infer<typeof ErrorBody>;

export const NoQuery = z.strictObject({});
export const ServicePath = z.strictObject({ name: Name });
export const DevicePath = z.strictObject({ name: Name });
export const ExposurePath = z.strictObject({ name: Name, provider: Name });
export const RevokeQuery = z.strictObject({ gently: z.enum(['true', 'false']).optional() });
export const UnexposeQuery = z.strictObject({ now: z.enum(['true', 'false']).optional() });
const Whole = z.string().regex(/^\d{1,15}$/, 'expected a whole number');
export const EventsQuery = z.strictObject({ after: Whole.optional(), limit: Whole.optional() });
export const FollowQuery = z.strictObject({ after: Whole.optional() });

export const ServiceDraft = z
  .strictObject({
    name: Name,
    port: Port,
    kind: z.enum(KINDS),
    privacy: z.enum(PRIVACIES),
    egress: z.enum(EGRESSES).optional(),
    upstreams: z.array(Name).readonly().optional(),
    namespace: z.union([
      z.enum(['own', 'host']),
      z.strictObject({ name: Name }),
      z.strictObject({
        entered: z.strictObject({ by: z.enum(ENTERED_BY), value: z.string().min(1).max(200) }),
      }),
      z.strictObject({ target: z.string().min(1).max(255) }),
    ]),
    expose: z.record(Name, z.unknown()),
  })
  .meta({ id: 'ServiceDraft' }) satisfies z.ZodType<edits.ServiceDraft>;

/** `name` may be repeated in the body; when it is, it must be the one in the path. */
export const ServiceEdit = z
  .strictObject({
    name: Name.optional(),
    port: Port.optional(),
    kind: z.enum(KINDS).optional(),
    privacy: z.enum(PRIVACIES).optional(),
    egress: z.enum(EGRESSES).optional(),
    upstreams: z.array(Name).readonly().optional(),
    isolated: z.boolean().optional(),
  })
  .meta({ id: 'ServiceEdit' }) satisfies z.ZodType<edits.ServiceEdit>;

export const ExposeRequest = z
  .strictObject({
    service: Name.optional(),
    provider: Name.optional(),
    options: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'ExposeRequest' });

const ReachedBy = z.array(z.strictObject({ service: Name, port: Port })).readonly();
const grant = {
  services: z.array(Name).describe('Services that it may reach.'),
  rights: z
    .array(z.enum(DEVICE_RIGHTS))
    .readonly()
    .optional()
    .describe('What it may do that others may not. `lnd:unlock`: open the wallet of an LND behind a page.'),
  reachedBy: ReachedBy.optional().describe(
    'Services that may begin connections to this port of it (webhooks).',
  ),
};
const isSomething = ({ services, rights = [], reachedBy = [] }: control.Grant): boolean =>
  services.length + rights.length + reachedBy.length > 0;
const NOTHING = 'name a service or a right';
export const Grant = z
  .strictObject(grant)
  .refine(isSomething, NOTHING)
  .meta({ id: 'Grant' }) satisfies z.ZodType<control.Grant>;
export const Ungrant = z
  .strictObject({
    ...grant,
    gently: z.boolean().optional().describe('Disturb no other device of an onion service.'),
  })
  .refine(isSomething, NOTHING)
  .meta({ id: 'Ungrant' });

export const DeviceDraft = z
  .strictObject({
    name: Name,
    services: z.array(Name).min(1),
    expiresAt: z.iso.datetime().optional().describe('It is revoked then.'),
    onionKey: z
      .string()
      .regex(/^[A-Za-z2-7]{52}$/, 'must be an x25519 public key: 52 letters of base32')
      .optional()
      .describe(
        'Public key that the device made itself for onion services; then no private key is handed out.',
      ),
    publicKey: z
      .string()
      .regex(
        /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/,
        'must be a WireGuard public key: 44 characters of base64',
      )
      .optional()
      .describe('Public key that the device made itself for WireGuard; then no private key is handed out.'),
    rights: grant.rights,
    reachedBy: grant.reachedBy,
  })
  .meta({ id: 'DeviceDraft' }) satisfies z.ZodType<control.DeviceDraft>;

export const Minting = z
  .strictObject({
    service: Name,
    rights: z.enum(RIGHTS).describe('What a wallet may do with the node; each includes those before it.'),
  })
  .meta({ id: 'Minting' }) satisfies z.ZodType<control.Minting>;

export const OnionImport = z
  .strictObject({
    secretKey: z
      .string()
      .regex(/^[A-Za-z0-9+/]{86}==$/, 'must be the base64 of 64 bytes')
      .describe('The expanded secret key, base64.'),
    hostname: z
      .string()
      .regex(/^[a-z2-7]{56}\.onion$/, 'must be 56 letters and .onion')
      .describe('The address that it must give.'),
  })
  .meta({ id: 'OnionImport' }) satisfies z.ZodType<control.OnionImport>;

export const RelayDraft = z
  .strictObject({
    invite: z.string().min(1).max(500).describe('As `gateway relay invite` printed it.'),
    name: Name.optional().describe('Left out: relay-1, relay-2 …'),
  })
  .meta({ id: 'RelayDraft' }) satisfies z.ZodType<control.RelayDraft>;
export const AddressQuery = z.strictObject({ nat: z.enum(['true', 'false']).optional() });
export const AddressBody = AddressStatus.meta({ id: 'AddressStatus' });
export const WalkBody = RelayWalked.meta({ id: 'RelayWalked' });
export const RelayPath = z.strictObject({ name: Name });
export const RelayBody = RelayStatus.meta({ id: 'RelayStatus' });
export const Relays = z.array(RelayBody).readonly();

export const RollbackRequest = z
  .strictObject({ generation: z.int().min(1).optional() })
  .meta({ id: 'RollbackRequest' });

const Failure = { code: z.string(), message: z.string(), hint: z.string().optional() };
const reported = {
  changes: z.array(z.string()).readonly(),
  problems: z.array(z.object({ service: z.string(), ...Failure })).readonly(),
  notices: z.array(z.string()).readonly(),
};
export const PlanReport = z
  .object(reported)
  .meta({ id: 'PlanReport' }) satisfies z.ZodType<control.PlanReport>;

export const UpReport = z
  .object({
    ...reported,
    generation: z.number(),
    services: z.number(),
    failed: z.array(z.object({ change: z.string(), ...Failure })).readonly(),
  })
  .meta({ id: 'UpReport' }) satisfies z.ZodType<control.UpReport>;

export const Handout = z
  .object({
    kind: z.enum(HANDOUT_KINDS),
    label: z.string(),
    file: z.string(),
    secret: z.boolean(),
    text: z.string(),
  })
  .meta({ id: 'Handout' }) satisfies z.ZodType<HandoutShape>;

export const Enrolled = z
  .object({
    device: DeviceStatus,
    handouts: z.array(Handout).readonly(),
    notices: z.array(z.string()).readonly(),
  })
  .meta({ id: 'Enrolled' }) satisfies z.ZodType<control.Enrolled>;

export const Taken = z
  .object({ notices: z.array(z.string()).readonly() })
  .meta({ id: 'Taken' }) satisfies z.ZodType<control.Taken>;

export const MintedToken = z
  .object({
    device: z.string(),
    service: z.string(),
    kind: z.enum(TOKEN_KINDS),
    rights: z.enum(RIGHTS),
    secret: z.string().describe('A macaroon as base64, a rune as it is.'),
  })
  .meta({ id: 'MintedToken' }) satisfies z.ZodType<control.MintedToken>;

export const OnionImported = z
  .object({ service: z.string(), hostname: z.string() })
  .meta({ id: 'OnionImported' }) satisfies z.ZodType<control.OnionImported>;

const DnsName = z.string().refine((text) => isHostName(text) && text === text.toLowerCase(), {
  error: 'must be a DNS name in lower case',
});
export const NamePath = z.strictObject({ name: DnsName });
export const CertificatePath = z.strictObject({ name: z.string().min(1).max(255) });
export const RevokeCertificateQuery = z.strictObject({ compromised: z.enum(['true', 'false']).optional() });
export const CertificateReports = z.array(CertificateReport).readonly();
export const NameDraft = z
  .strictObject({
    name: DnsName,
    zone: DnsName,
    wildcard: z.boolean().default(false),
    access: DnsAccess,
    register: z.boolean().default(false),
  })
  .meta({ id: 'NameDraft' }) satisfies z.ZodType<control.NameDraft>;

const NameReport = z
  .object({
    name: z.string(),
    wildcard: z.boolean(),
    zone: z.string(),
    host: z.string(),
    addresses: z.array(z.string()).readonly(),
    publishedAt: z.string().nullable(),
    trouble: z.string().nullable(),
  })
  .meta({ id: 'NameReport' }) satisfies z.ZodType<control.NameReport>;
export const NameReports = z.array(NameReport).readonly();

export const PlaceReport = z
  .object({
    service: z.string(),
    isolated: z.boolean(),
    namespacePath: z.string().nullable(),
    namespace: z.string().nullable(),
    uid: z.number(),
    directory: z.string(),
    address: z.string(),
    port: z.number(),
    target: z.string().nullable(),
    entered: z.string().nullable(),
  })
  .meta({ id: 'PlaceReport' }) satisfies z.ZodType<control.PlaceReport>;

export const Generation = z
  .object({ number: z.number(), appliedAt: z.string(), programmed: z.boolean(), current: z.boolean() })
  .meta({ id: 'Generation' }) satisfies z.ZodType<control.Generation>;

export const StatusBody = Status.meta({ id: 'Status' });
export const Handouts = z.array(Handout).readonly();
export const Generations = z.array(Generation).readonly();
export const Event = JournalEvent.meta({ id: 'Event' });
export const Events = z.array(Event).readonly();

const ProgressLine = z
  .object({ type: z.literal('progress'), message: z.string() })
  .meta({ id: 'ProgressLine' });
const ErrorLine = ErrorBody.extend({ type: z.literal('error') }).meta({ id: 'ErrorLine' });

/** One line of the answer to a long call: any number of `progress`, then one `result` or `error`. */
export function jobLine(result: z.ZodType): z.ZodType {
  return z.union([ProgressLine, z.object({ type: z.literal('result'), value: result }), ErrorLine]);
}
export type JobLine =
  | { readonly type: 'progress'; readonly message: string }
  | { readonly type: 'result'; readonly value: unknown }
  | ({ readonly type: 'error' } & ErrorBody);
