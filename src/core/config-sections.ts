import type { z } from 'zod';
import { DnsSettings } from './dns-config.ts';

/** Sections of gateway.yaml that belong to a built-in part, by its id. Each must accept `{}`. */
export const PART_SECTIONS: readonly { readonly id: string; readonly settings: z.ZodType }[] = [
  { id: 'dns', settings: DnsSettings },
];
