import { drop, put, valueAt } from './config-splice.ts';
import { GatewayError } from './errors.ts';
import { formatEndpoint, parseEndpoint } from './inet.ts';
import type { HomeName } from './names.ts';
import type { RelaySettings } from './relay.ts';
import type { z } from 'zod';
import type { Egress, EnteredBy, Privacy, ServiceKind } from './service.ts';

/** A service as `gateway service add` describes it. */
export interface ServiceDraft {
  readonly name: string;
  readonly port: number;
  readonly kind: ServiceKind;
  readonly privacy: Privacy;
  /** Left out: none. */
  readonly egress?: Egress | undefined;
  /** Other services that it may connect to. */
  readonly upstreams?: readonly string[] | undefined;
  /** `own`: a namespace named like the service. */
  readonly namespace:
    | 'own'
    | 'host'
    | { readonly name: string }
    | { readonly entered: { readonly by: EnteredBy; readonly value: string } }
    | { readonly target: string };
  /** Provider ids with their options. */
  readonly expose: Readonly<Record<string, unknown>>;
}

/** What `gateway service set` changes; what is left out stays. */
export interface ServiceEdit {
  readonly port?: number | undefined;
  readonly kind?: ServiceKind | undefined;
  readonly privacy?: Privacy | undefined;
  readonly egress?: Egress | undefined;
  /** Replaces the list. */
  readonly upstreams?: readonly string[] | undefined;
  readonly isolated?: boolean | undefined;
}

const HEADER = `# What is reachable, and how. After an edit: gateway plan shows what would change, gateway up applies it.
`;

/** The text with one service more. The result is as valid as its parts: the caller parses it before it is kept. */
export function addService(text: string, draft: ServiceDraft): string {
  if (isSection(valueAt(text, ['services'])) && valueAt(text, ['services', draft.name]) !== undefined) {
    throw new GatewayError(`there is a service ${draft.name} already`, {
      code: 'AlreadyExists',
      retry: 'never',
      hint: `choose another name, or remove it first: gateway service remove ${draft.name}`,
    });
  }
  return put(text.trim() === '' ? HEADER : text, ['services', draft.name], {
    ...placeOf(draft),
    kind: draft.kind,
    privacy: draft.privacy,
    ...(draft.egress === undefined ? {} : { egress: draft.egress }),
    ...(draft.upstreams === undefined || draft.upstreams.length === 0 ? {} : { upstreams: draft.upstreams }),
    ...(Object.keys(draft.expose).length === 0 ? {} : { expose: draft.expose }),
  });
}

function placeOf({ namespace, port }: ServiceDraft): Record<string, unknown> {
  if (namespace === 'own') return { port };
  if (namespace === 'host') return { namespace, port };
  if ('name' in namespace) return { namespace: namespace.name, port };
  if ('entered' in namespace) {
    const { by, value } = namespace.entered;
    return { namespace: { [by]: by === 'pid' ? Number(value) : value }, port };
  }
  const hasPort = parseEndpoint(namespace.target) !== undefined;
  return { target: hasPort ? namespace.target : formatEndpoint({ host: namespace.target, port }) };
}

export function setService(text: string, name: string, edit: ServiceEdit): string {
  requireService(text, name);
  let edited = text;
  for (const key of ['kind', 'privacy', 'egress'] as const) {
    if (edit[key] !== undefined) edited = put(edited, ['services', name, key], edit[key]);
  }
  if (edit.upstreams !== undefined) edited = setUpstreams(edited, name, edit.upstreams);
  if (edit.port !== undefined) edited = setPort(edited, name, edit.port);
  return edit.isolated === undefined ? edited : setIsolated(edited, name, edit.isolated);
}

function setPort(text: string, name: string, port: number): string {
  const target = valueAt(text, ['services', name, 'target']);
  if (typeof target !== 'string') return put(text, ['services', name, 'port'], port);
  const host = parseEndpoint(target)?.host ?? target;
  return put(text, ['services', name, 'target'], formatEndpoint({ host, port }));
}

function setIsolated(text: string, name: string, isolated: boolean): string {
  const isElsewhere = valueAt(text, ['services', name, 'target']) !== undefined;
  if (isElsewhere && isolated) {
    throw new GatewayError(`${name} runs on another machine and cannot be isolated here`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: 'run it on this machine, and give it a port instead of a target',
    });
  }
  if (isElsewhere) return text;
  if (isolated && isSection(valueAt(text, ['services', name, 'namespace']))) {
    throw new GatewayError(`${name} runs in a namespace that the gateway did not make and does not close`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: `remove the line namespace of services.${name} from gateway.yaml, and run it where gateway service add tells`,
    });
  }
  if (!isolated) return put(text, ['services', name, 'namespace'], 'host');
  const isOnHost = valueAt(text, ['services', name, 'namespace']) === 'host';
  return isOnHost ? drop(text, ['services', name, 'namespace']) : text;
}

function setUpstreams(text: string, name: string, upstreams: readonly string[]): string {
  const path = ['services', name, 'upstreams'] as const;
  if (upstreams.length > 0) return put(text, path, upstreams);
  return valueAt(text, path) === undefined ? text : drop(text, path);
}

/** Also from the lists of those that may connect to it. */
export function removeService(text: string, name: string): string {
  requireService(text, name);
  const services = valueAt(text, ['services']);
  const others = isSection(services) ? Object.keys(services).filter((other) => other !== name) : [];
  return others.reduce(
    (edited, other) => {
      const upstreams = valueAt(edited, ['services', other, 'upstreams']);
      if (!Array.isArray(upstreams) || !upstreams.includes(name)) return edited;
      return setUpstreams(
        edited,
        other,
        upstreams.map(String).filter((upstream) => upstream !== name),
      );
    },
    drop(text, ['services', name]),
  );
}

/** The home's name, and who is asked to move it. */
export function setHomeName(text: string, { name, zone, wildcard, access }: HomeName): string {
  const named = put(text.trim() === '' ? HEADER : text, ['dns', 'home'], name);
  const edited = put(named, ['dns', 'zones', zone], access);
  if (wildcard) return put(edited, ['dns', 'wildcard'], true);
  return valueAt(edited, ['dns', 'wildcard']) === undefined ? edited : drop(edited, ['dns', 'wildcard']);
}

/** Its zone stays: certificates may be asked for with it. */
export function removeHomeName(text: string, name: string): string {
  const dns = valueAt(text, ['dns']);
  const home = isSection(dns) ? dns['home'] : undefined;
  if (home === name) return drop(text, ['dns', 'home']);
  throw new GatewayError(`${name} is no name of this home`, {
    code: 'InvalidRequest',
    retry: 'never',
    hint: typeof home === 'string' ? `its name is ${home}` : 'it has no name',
  });
}

/** Adds a way in, or changes its options. */
export function setExposure(text: string, service: string, provider: string, options: unknown): string {
  requireService(text, service);
  const path = ['services', service, 'expose', provider] as const;
  const given = options ?? {};
  // What is no section is refused with the rest of the file.
  if (!isSection(given)) return put(text, path, given);
  const before = valueAt(text, path);
  const narrow = Object.entries(isSection(before) ? before : {}).filter(([key]) => WHO_IS_LET_IN.has(key));
  return put(text, path, { ...Object.fromEntries(narrow), ...given });
}

/** Options that stay until somebody says otherwise: exposing a service again must not open it to everybody. */
const WHO_IS_LET_IN: ReadonlySet<string> = new Set(['access', 'authorization']);

/** Also from the list of those that take over. */
export function removeExposure(text: string, service: string, provider: string): string {
  requireService(text, service);
  const expose = valueAt(text, ['services', service, 'expose']);
  if (!isSection(expose) || !Object.hasOwn(expose, provider)) {
    const ways = isSection(expose) ? Object.keys(expose) : [];
    throw new GatewayError(`${service} is not exposed through ${provider}`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: ways.length === 0 ? 'it has no way in' : `its ways in are: ${ways.join(', ')}`,
    });
  }
  return dropFallback(drop(text, ['services', service, 'expose', provider]), service, provider);
}

/** Every way in of every service, with the lists of those that take over. */
export function removeEveryExposure(text: string): string {
  const services = valueAt(text, ['services']);
  return Object.keys(isSection(services) ? services : {}).reduce(
    (edited, name) => drop(drop(edited, ['services', name, 'fallback']), ['services', name, 'expose']),
    text,
  );
}

/** The text with one relay more. */
export function addRelay(text: string, name: string, relay: z.infer<typeof RelaySettings>): string {
  return put(text.trim() === '' ? HEADER : text, ['relays', name], relay);
}

export function removeRelay(text: string, name: string): string {
  const relays = valueAt(text, ['relays']);
  if (isSection(relays) && Object.hasOwn(relays, name)) return drop(text, ['relays', name]);
  const known = isSection(relays) ? Object.keys(relays) : [];
  throw new GatewayError(`there is no relay ${name}`, {
    code: 'RelayUnknown',
    retry: 'never',
    hint: known.length === 0 ? 'join one with: gateway relay join INVITE' : `relays are: ${known.join(', ')}`,
  });
}

function dropFallback(text: string, service: string, provider: string): string {
  const fallback = valueAt(text, ['services', service, 'fallback']);
  if (!Array.isArray(fallback) || !fallback.includes(provider)) return text;
  const left = fallback.filter((id) => id !== provider);
  return left.length === 0
    ? drop(text, ['services', service, 'fallback'])
    : put(text, ['services', service, 'fallback'], left);
}

function requireService(text: string, name: string): void {
  const services = valueAt(text, ['services']);
  if (isSection(services) && Object.hasOwn(services, name)) return;
  const known = isSection(services) ? Object.keys(services) : [];
  throw new GatewayError(`there is no service ${name}`, {
    code: 'ServiceUnknown',
    retry: 'never',
    hint: known.length === 0 ? 'add one with: gateway service add' : `services are: ${known.join(', ')}`,
  });
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
