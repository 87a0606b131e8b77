import { z } from 'zod';

/**
 * How a relay helps to see which routers on the way to a home keep state: the home sends it datagrams on flows of its own,
 * and has it send some back, of which most are to die on the way. Nothing is sent to any address but the one that asks, and
 * nothing but datagrams of a few bytes, so many at once and so many a second.
 */
/** UDP, on every IPv4 address of a relay, beside those of STUN. */
export const WALK_PORT = 3480;
/** A flow is a socket of the home's. */
export const MAX_WALK_FLOWS = 128;
const MAX_WALK_SENDS = 64;

const Flow = z
  .int()
  .min(0)
  .max(MAX_WALK_FLOWS - 1);
/**
 *   refresh  to where the flow comes from
 *   probe    the same; only these count as having come in
 *   open     a probe from another address of the relay, to which the home spoke on this flow or not
 */
const WalkSend = z.tuple([Flow, z.int().min(1).max(255), z.enum(['refresh', 'probe', 'open'])]);
export type WalkSend = z.infer<typeof WalkSend>;

/** 16 bytes in hexadecimal. */
const WalkSession = z.string().regex(/^[0-9a-f]{32}$/);

/** Without `session` a new one begins, and the one before ends. */
export const WalkQuestion = z.strictObject({
  session: WalkSession.optional(),
  sends: z.array(WalkSend).max(MAX_WALK_SENDS),
});
export type WalkQuestion = z.infer<typeof WalkQuestion>;

/** Answered with what has been heard so far. */
export const RelayWalked = z.object({
  session: WalkSession,
  port: z.literal(WALK_PORT),
  /** Of the relay: the one that was asked, and another; `null`: it has no other. */
  address: z.ipv4(),
  other: z.ipv4().nullable(),
  /** Where it answers STUN; `null`: nowhere. */
  stunPort: z.int().min(1).max(65_535).nullable(),
  /** Flows, and the port that each comes from, as the relay sees it. */
  heard: z.array(z.tuple([Flow, z.int().min(1).max(65_535)])).max(MAX_WALK_FLOWS),
});
export type RelayWalked = z.infer<typeof RelayWalked>;
