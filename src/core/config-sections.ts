import type { z } from 'zod';
import { CertificateSettings } from './certificate-config.ts';
import { DnsSettings } from './dns-config.ts';

/** Sections of gateway.yaml that belong to a built-in part, by its id. Each must accept `{}`. */
export const PART_SECTIONS: readonly { readonly id: string; readonly settings: z.ZodType }[] = [
  { id: 'certificates', settings: CertificateSettings },
  { id: 'dns', settings: DnsSettings },
];
