import { z } from 'zod';
import { EnteredSpec } from '../core/entered.ts';
import { NamespaceSpec, NetworkSpec } from '../core/operations.ts';

/**
 * Our mark on an interface of the hub, set as the last step of making it: what it is for, as JSON in its alias (at most
 * 255 characters). An interface without it is half made.
 */
const MARK = 'gateway:';

/** `upstreams`: digest of the list, which stands in the mark of the namespace (marks.ts) because it does not fit here. */
export const ServiceAlias = z.object({
  owner: z.string(),
  service: z.string(),
  spec: NamespaceSpec.omit({ upstreams: true }),
  upstreams: z.string().optional(),
});
export type ServiceAlias = z.infer<typeof ServiceAlias>;

/** `namespace`: the kernel's number of the one in which the other end was put. */
export const EnteredAlias = z.object({
  owner: z.string(),
  service: z.string(),
  spec: EnteredSpec,
  namespace: z.string(),
});
export type EnteredAlias = z.infer<typeof EnteredAlias>;

/** On our end in a namespace that is not ours: there nothing else says whose it is. */
export const EnteredEndAlias = z.object({ owner: z.string(), service: z.string() });
export type EnteredEndAlias = z.infer<typeof EnteredEndAlias>;

export const HubAlias = z.object({ owner: z.string(), network: NetworkSpec });
export type HubAlias = z.infer<typeof HubAlias>;

/** `endpoint`: `host:port` that devices dial. */
export const WireguardAlias = z.object({ owner: z.string(), endpoint: z.string() });
export type WireguardAlias = z.infer<typeof WireguardAlias>;

/** On the interface of a tunnel to a relay. */
export const TunnelAlias = z.object({ owner: z.string(), relay: z.string() });
export type TunnelAlias = z.infer<typeof TunnelAlias>;

export function formatAlias(
  alias: ServiceAlias | EnteredAlias | EnteredEndAlias | HubAlias | WireguardAlias | TunnelAlias,
): string {
  return MARK + JSON.stringify(alias);
}

/** `undefined` when it is absent or not ours. */
export function parseAlias<Alias>(text: string | undefined, schema: z.ZodType<Alias>): Alias | undefined {
  if (text === undefined || !text.startsWith(MARK)) return undefined;
  const parsed = schema.safeParse(jsonOf(text.slice(MARK.length)));
  return parsed.success ? parsed.data : undefined;
}

/** `undefined` when it is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
