import { z } from 'zod';

/** How a name is proved to a certificate authority: RFC 8555 8.3 and 8.4, RFC 8737. */
export const CHALLENGES = ['dns-01', 'http-01', 'tls-alpn-01'] as const;
export type Challenge = (typeof CHALLENGES)[number];

/** Who gives certificates, by ACME (RFC 8555), and on what terms. Secrets lie in files. */
export const Authority = z.strictObject({
  directory: z.string(),
  /** Where the same authority lets one try without counting it. */
  staging: z.string().optional(),
  profile: z.string().optional(),
  email: z.string().optional(),
  /** External account binding (RFC 8555 7.3.4): what the authority calls the owner, and a file with the key. */
  eab: z.strictObject({ kid: z.string(), key: z.string() }).optional(),
  /** File with the roots that its HTTPS is trusted by, instead of the public ones. */
  roots: z.string().optional(),
});
export type Authority = z.infer<typeof Authority>;

/** A certificate that is to be kept valid. */
export const CertificateSpec = z.strictObject({
  /** DNS name, `*.name`, or an IP address. */
  name: z.string(),
  /** A wildcard's: the names of pages at which it is shown, sorted. Absent: it is shown at its own name. */
  shownAt: z.array(z.string()).exactOptional(),
  /** That may be used. */
  challenges: z.array(z.enum(CHALLENGES)),
  /** The first one is asked first. */
  authorities: z.array(Authority).min(1),
});
export type CertificateSpec = z.infer<typeof CertificateSpec>;

export const CertificateProblem = z.object({
  message: z.string(),
  hint: z.string().nullable(),
  /** ISO 8601: when it is tried again. */
  retryAt: z.string(),
});
export type CertificateProblem = z.infer<typeof CertificateProblem>;

/** A certificate as people see it. Times are ISO 8601. */
export const CertificateReport = z.object({
  name: z.string(),
  /** `ordering`: there is none yet; `failing`: there is none that is valid, and it could not be had. */
  state: z.enum(['ordering', 'valid', 'failing']),
  names: z.array(z.string()),
  notBefore: z.string().nullable(),
  notAfter: z.string().nullable(),
  /** When another one is ordered. */
  renewAt: z.string().nullable(),
  /** Common name or organisation of who signed it. */
  issuer: z.string().nullable(),
  /** SHA-256 of the certificate, hex. */
  fingerprint: z.string().nullable(),
  /** Directory of the authority that gave it. */
  authority: z.string().nullable(),
  /** With which the last one was proved. */
  challenge: z.enum(CHALLENGES).nullable(),
  /** A valid certificate may have one too: it could not be renewed yet, or is not served. */
  problem: CertificateProblem.nullable(),
  /** `null` before there is an account, and for authorities that CAA knows nothing of. */
  caa: z
    .object({
      /** With these, nobody but this gateway gets a certificate for the name. */
      records: z.array(z.string()),
      /** What DNS says now keeps everybody else out. */
      published: z.enum(['yes', 'no', 'unknown']),
    })
    .nullable(),
});
export type CertificateReport = z.infer<typeof CertificateReport>;

export interface ZoneBound {
  readonly records: readonly string[];
  readonly published: 'yes' | 'no' | 'unknown';
}

/**
 * Keeps certificates valid: orders, proves, checks, stores, has them served, renews. Long work goes on in the
 * background; what it keeps outlives the daemon.
 */
export interface Certifier {
  /** Takes it up, or what of it changed; resolves once that is durable, not when there is a certificate. */
  keep(spec: CertificateSpec, signal: AbortSignal): Promise<void>;
  /** Forgets the name and its certificate. */
  release(name: string, signal: AbortSignal): Promise<void>;
  kept(): Promise<readonly { readonly spec: CertificateSpec; readonly report: CertificateReport }[]>;
  /**
   * The CAA records with which only this gateway gets a certificate for the name, and only by a record in its zone; and
   * whether DNS shows such, as of the last minute. `undefined`: there is no account yet, or no certificate is kept for it.
   */
  zoneBound(name: string, signal: AbortSignal): Promise<ZoneBound | undefined>;
  /** Orders another one now, whatever the one that is held. `CertificateUnknown`. */
  renew(name: string): Promise<void>;
}

/** What makes the certificate of one name different from every other: `*.home.test` is `_.home.test` as a file. */
export function certificateFile(name: string): string {
  return name.replace('*', '_');
}

export function isIpName(name: string): boolean {
  return name.includes(':') || /^[0-9.]+$/.test(name);
}

/** Names at which visitors are shown it. */
export function shownNames({ name, shownAt }: Pick<CertificateSpec, 'name' | 'shownAt'>): readonly string[] {
  return shownAt ?? [name];
}

/** RFC 6125 6.4.3: `*.shop.test` stands for `a.shop.test`, not for `shop.test`, `a.b.shop.test` or an address. */
export function isCovered(name: string, wildcard: string): boolean {
  return !isIpName(name) && !name.startsWith('*.') && name.slice(name.indexOf('.') + 1) === baseOf(wildcard);
}

/** The name of which the record or page is looked at: without `*.`. */
export function baseOf(name: string): string {
  return name.startsWith('*.') ? name.slice(2) : name;
}

/** Of those that may be used, the ones that can prove this name: RFC 8738 4 and 7, RFC 8555 7.1.3. */
export function usableChallenges({
  name,
  challenges,
}: Pick<CertificateSpec, 'name' | 'challenges'>): Challenge[] {
  if (isIpName(name)) return challenges.filter((challenge) => challenge !== 'dns-01');
  return name.startsWith('*.') ? challenges.filter((challenge) => challenge === 'dns-01') : [...challenges];
}
