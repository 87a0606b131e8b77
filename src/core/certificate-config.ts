import { z } from 'zod';
import { baseOf, type Authority } from './certificate.ts';
import type { Fault } from './config-rules.ts';
import { isHostName } from './inet.ts';
import { zoneOf } from './names.ts';

/** Authorities that have a name of their own. */
const KNOWN: Readonly<Record<string, { readonly directory: string; readonly staging?: string }>> = {
  letsencrypt: {
    directory: 'https://acme-v02.api.letsencrypt.org/directory',
    staging: 'https://acme-staging-v02.api.letsencrypt.org/directory',
  },
  'letsencrypt-staging': { directory: 'https://acme-staging-v02.api.letsencrypt.org/directory' },
  google: {
    directory: 'https://dv.acme-v02.api.pki.goog/directory',
    staging: 'https://dv.acme-v02.test-api.pki.goog/directory',
  },
  zerossl: { directory: 'https://acme.zerossl.com/v2/DV90' },
};

const Ca = z.string().refine((text) => text in KNOWN || /^https:\/\/[^\s/]+\/\S*$/.test(text), {
  error: `must be ${Object.keys(KNOWN).join(', ')}, or the address of an ACME directory, starting with https://`,
});
const File = z.string().startsWith('/', 'must be the absolute path of a file');
const Eab = z.strictObject({
  kid: z.string().min(1).max(200).describe('What the authority calls the account.'),
  key: File.describe('File that holds the HMAC key alone, as the authority shows it.'),
});

const fields = {
  email: z
    .email()
    .optional()
    .describe('Where the authority writes to; it knows no other way to reach the owner.'),
  eab: Eab.optional().describe(
    'External account binding, where the authority asks for it (ZeroSSL, Google).',
  ),
  profile: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,64}$/, 'must be the name of a profile')
    .optional()
    .describe(
      'Kind of certificate, where the authority offers several: `shortlived` lasts six days at Let’s Encrypt.',
    ),
  roots: File.optional().describe(
    'Certificates (PEM) that the authority’s own HTTPS is trusted by: for one of your own.',
  ),
};

const Wildcard = z
  .string()
  .refine((text) => /^\*\.[^.]+\../.test(text) && isHostName(baseOf(text)) && text === text.toLowerCase(), {
    error: 'must be *. and a whole DNS name in lower case, like *.example.com',
  });

/** The section `certificates:` of gateway.yaml. */
export const CertificateSettings = z.strictObject({
  ca: Ca.default('letsencrypt').describe(
    'Who gives certificates: letsencrypt, letsencrypt-staging, google, zerossl, or the address of an ACME directory.',
  ),
  ...fields,
  fallback: z
    .strictObject({ ca: Ca, ...fields })
    .optional()
    .describe('Who is asked when the first one gives none.'),
  wildcards: z
    .array(Wildcard)
    .max(20)
    .default([])
    .describe(
      'Names such as *.example.com: pages one step below (a.example.com) are shown this one certificate, so that public lists of certificates do not name them. Each zone must be in `dns.zones`.',
    ),
});
export type CertificateSettings = z.infer<typeof CertificateSettings>;

/** Who is asked for a certificate, first choice first. An IP address gets one at Let's Encrypt only for six days. */
export function authoritiesOf(
  { fallback, wildcards: _wildcards, ...first }: CertificateSettings,
  isIp: boolean,
): Authority[] {
  return [first, ...(fallback === undefined ? [] : [fallback])].map(({ ca, ...terms }) => {
    const known = KNOWN[ca] ?? { directory: ca };
    const isLetsEncrypt = ca.startsWith('letsencrypt');
    const profile = terms.profile ?? (isIp && isLetsEncrypt ? 'shortlived' : undefined);
    return { ...known, ...withoutAbsent({ ...terms, profile }) };
  });
}

/** A wildcard is proved by a record in its zone, and in no other way (RFC 8555 7.1.3). */
export function wildcardFaults(
  { wildcards }: Pick<CertificateSettings, 'wildcards'>,
  zones: readonly string[],
): Fault[] {
  return wildcards.flatMap((name, index) => {
    if (zoneOf(baseOf(name), zones) !== undefined) return [];
    return [
      {
        path: ['certificates', 'wildcards', index],
        message: `certificates.wildcards[${index}]: ${name} is in no zone of dns.zones, and is proved by a record there alone`,
        hint: 'say who holds the zone: docs/names.md',
      },
    ];
  });
}

function withoutAbsent<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]: NonNullable<Fields[Key]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Fields]: NonNullable<Fields[Key]>;
  };
}
