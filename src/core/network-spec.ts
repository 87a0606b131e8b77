import { z } from 'zod';

const Prefix = z.string().regex(/^[a-z][a-z0-9]{0,3}$/);
const Ipv4 = z.ipv4();

/** The names and addresses that a gateway has for itself, as the helper checks them. */
export const NetworkSpec = z.strictObject({
  prefix: Prefix,
  pool: z.cidrv4(),
  hub: Ipv4,
  edge: Ipv4,
  tor: Ipv4,
});
