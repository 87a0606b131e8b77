import { z } from 'zod';
import { NAME } from './name.ts';
import { NetworkSpec } from './network-spec.ts';
import { ENTERED_BY } from './service.ts';

/** What the helper does with namespaces that somebody else made; a part of the list in operations.ts. */
const Name = z.string().regex(NAME);
const Done = z.object({});

/** A namespace that somebody else made. No value starts with a dash or holds a slash. */
export const EnteredPlace = z.strictObject({
  by: z.enum(ENTERED_BY),
  value: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,79}$/),
});
export type EnteredPlace = z.infer<typeof EnteredPlace>;

/** One service's interface in a namespace that is not ours, and its link to the hub. */
export const EnteredSpec = EnteredPlace.extend({ address: z.ipv4() });
export type EnteredSpec = z.infer<typeof EnteredSpec>;

export const SeenNamespace = z.strictObject({ service: Name, namespace: z.string().max(40) });
export type SeenNamespace = z.infer<typeof SeenNamespace>;

export const ENTERED_OPERATIONS = {
  /**
   * One interface in a namespace that somebody else made, with the service's address and a route to the pool. Fails with
   * `NamespaceMissing` while there is none.
   */
  'entered.ensure': {
    input: z.strictObject({ network: NetworkSpec, service: Name, spec: EnteredSpec }),
    result: Done,
  },
  /** Takes the interface away, and with it all that we put there. */
  'entered.remove': { input: z.strictObject({ network: NetworkSpec, service: Name }), result: Done },
  /**
   * Answers as soon as the namespaces of entered services are not the ones that were `seen`, and after half a minute in
   * any case; a later call ends an earlier one. `namespace` is never
   * the same for two of them, and empty while there is none.
   */
  'entered.watch': {
    input: z.strictObject({ network: NetworkSpec, seen: z.array(SeenNamespace) }),
    result: z.object({ seen: z.array(SeenNamespace) }),
  },
} as const;
