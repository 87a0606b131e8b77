import { z } from 'zod';
import { isPublicUnicast } from './inet.ts';

/** A router farther out than ours. */
export const Hop = z.strictObject({
  /** Where it is asked: its address on the side of this machine. */
  router: z.ipv4(),
  /** Whom it sees: the outer address of the router before it. Left out: not known; it is asked by NAT-PMP alone. */
  asker: z.ipv4().exactOptional(),
});
export type Hop = z.infer<typeof Hop>;

/** What the owner said yes to: these routers, and only while this machine is behind the first. */
export const Through = z.strictObject({
  /** The router that this machine is behind. */
  first: z.ipv4(),
  /** Those farther out, nearest first. */
  hops: z
    .array(Hop)
    .min(1)
    .max(8)
    .refine((hops) => hops.every(({ router }) => !isPublicUnicast(router)), 'is on the internet'),
});
export type Through = z.infer<typeof Through>;
