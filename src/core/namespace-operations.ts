import { z } from 'zod';
import { NAME } from './name.ts';
import { HostServiceSpec, NamespaceSpec } from './namespace-spec.ts';
import { NetworkSpec } from './network-spec.ts';

/** What the helper does with the places of services; a part of the list in operations.ts. */
const Name = z.string().regex(NAME);
const Done = z.object({});
const OfService = z.strictObject({ network: NetworkSpec, service: Name });

const Failure = z.object({
  service: z.string(),
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
});
export type ServiceFailure = z.infer<typeof Failure>;

export const Listener = z.object({ address: z.string(), port: z.number() });
export type Listener = z.infer<typeof Listener>;

export const NAMESPACE_OPERATIONS = {
  'namespace.ensure': { input: OfService.extend({ spec: NamespaceSpec }), result: Done },
  /** Several at once, as after a power cut. What is not among the failed is as it is after `namespace.ensure`. */
  'namespace.ensureAll': {
    input: z.strictObject({
      network: NetworkSpec,
      namespaces: z.array(z.strictObject({ service: Name, spec: NamespaceSpec })),
    }),
    result: z.object({ failed: z.array(Failure) }),
  },
  'namespace.remove': { input: OfService, result: Done },
  /** Sockets that listen where each service lives: `{service: 'shop', listeners: [{address: '127.0.0.1', port: 80}]}`. */
  'namespace.listeners': {
    input: z.strictObject({ network: NetworkSpec, services: z.array(Name) }),
    result: z.object({
      found: z.array(z.object({ service: z.string(), listeners: z.array(Listener) })),
      /** Where it could not be told: its container does not run. */
      failed: z.array(Failure),
    }),
  },
  'hostService.ensure': { input: OfService.extend({ spec: HostServiceSpec }), result: Done },
  'hostService.remove': { input: OfService, result: Done },
} as const;
