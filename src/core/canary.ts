import { z } from 'zod';

/**
 * What can be said of a UDP port that nobody outside can try: for a moment the same router opens a TCP port as well, which
 * exits of the Tor network try. A router that forwards that one does forward from outside; the UDP port stays unproved.
 */
export const CanaryReport = z.object({
  /** Address of the router. */
  router: z.string(),
  /** Does it forward from outside? Never said of the UDP port itself. */
  reachable: z.enum(['yes', 'no', 'unknown']),
  detail: z.string(),
  /** ISO 8601. */
  at: z.string(),
});
export type CanaryReport = z.infer<typeof CanaryReport>;

/** For people, with what it does not mean. */
export function canarySentence({ router, reachable, detail }: CanaryReport): string {
  const words = {
    yes: `the router ${router} does forward from outside: a TCP port that was opened for a moment was ${detail}; whether UDP gets in, the first device will show`,
    no: `the router ${router} says that it opens ports, but nothing comes in: of a TCP port that was opened for a moment, ${detail}`,
    unknown: `whether the router ${router} forwards from outside could not be told: ${detail}`,
  };
  return words[reachable];
}
