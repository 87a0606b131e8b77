import { z } from 'zod';
import { isUla } from './ula.ts';

const Prefix = z.string().regex(/^[a-z][a-z0-9]{0,3}$/);
const Ipv4 = z.ipv4();

/** The names and addresses that a gateway has for itself, as the helper checks them. */
export const NetworkSpec = z.strictObject({
  prefix: Prefix,
  pool: z.cidrv4(),
  hub: Ipv4,
  edge: Ipv4,
  tor: Ipv4,
  ula: z.string().refine(isUla, { error: 'must be a block like fd12:3456:789a::/48' }).optional(),
});
