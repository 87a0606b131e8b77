import { isInCidr, isPrivate, parseIpv4 } from '../core/inet.ts';
import { parseIpv6 } from '../core/inet6.ts';
import { ADDRESS_WITNESSES, STUN_WITNESSES, WEB_WITNESSES } from './witnesses.ts';
import type { Evidence, Report } from './types.ts';

/** Who everybody asks: says nothing of whose report this is. */
const EVERYBODYS = new Set([
  ...WEB_WITNESSES.map(({ url }) => new URL(url).hostname),
  ...STUN_WITNESSES.map((server) => server.split(':')[0] ?? ''),
  ...ADDRESS_WITNESSES,
  'bridges.torproject.org',
  'neverssl.com',
]);
/** `gateway.yaml`, `nginx.service`: written like names of hosts, and none. */
const NO_DOMAIN = /\.(?:yaml|yml|json|service|socket|conf|d|sock|md|pid|log|txt)$/i;
/** Say nothing of whose they are. */
const KEPT = /^(?:127\.|0\.0\.0\.0$|::1?$|192\.0\.2\.|2001:db8:|255\.)/;

/**
 * The same report without what says whose it is: addresses, names of hosts, services and devices, keys. What was the same
 * is the same token still, so that whoever helps sees which is which; whether an address was of a home, of a provider's
 * shared block or of the internet stands in the token.
 */
export function redact(report: Report): Report {
  const tokens = new Tokens();
  for (const [kind, names] of namesIn(report.evidence)) names.forEach((name) => tokens.know(name, kind));
  const without = <Value>(value: Value): Value =>
    mapStrings(value, (words) => tokens.replaceIn(words)) as Value;
  // What is ours stays: a service may be called like a check.
  return {
    ...report,
    nat: without(report.nat),
    checks: report.checks.map((check) => ({ ...check, text: without(check.text) })),
    findings: report.findings.map((finding) => ({
      ...finding,
      title: without(finding.title),
      seen: without(finding.seen),
      fix: finding.fix.map((step) => ({ ...step, ...without({ text: step.text, command: step.command }) })),
    })),
    evidence: report.evidence.map((one) => ({ ...one, raw: without(one.raw) })),
    changes: without(report.changes),
  };
}

class Tokens {
  readonly #of = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  readonly #known = new Set<string>();

  know(name: string, kind: string): void {
    if (name.length < 2) return;
    this.#known.add(name);
    this.#tokenFor(name, kind);
  }

  replaceIn(words: string): string {
    const named = [...this.#known]
      .toSorted((a, b) => b.length - a.length)
      .reduce((text, name) => text.replaceAll(wholeWord(name), () => this.#of.get(name) ?? ''), words);
    return PATTERNS.reduce(
      (text, [pattern, kindOf]) =>
        text.replaceAll(pattern, (found) => {
          const kind = kindOf(found);
          return kind === undefined ? found : this.#tokenFor(found.toLowerCase(), kind);
        }),
      named,
    );
  }

  #tokenFor(value: string, kind: string): string {
    const already = this.#of.get(value);
    if (already !== undefined) return already;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const token = `<${kind}-${count}>`;
    this.#of.set(value, token);
    return token;
  }
}

function wholeWord(name: string): RegExp {
  return new RegExp(`(?<![\\w<-])${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w>-])`, 'g');
}

type KindOf = (found: string) => string | undefined;

const PATTERNS: readonly (readonly [RegExp, KindOf])[] = [
  [/\b[a-z2-7]{56}(?:\.onion)?\b/gi, () => 'onion'],
  [/(?<![\w+/])[A-Za-z0-9+/]{42,}={0,2}(?![\w+/=])/g, () => 'key'],
  [/\b[0-9a-f]{32,}\b/gi, () => 'hash'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, () => 'uuid'],
  [/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi, () => 'mac'],
  [/(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)/g, kindOfIpv4],
  [/(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi, kindOfIpv6],
  [/(?<![\w.@/<-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?![\w-])/gi, kindOfHost],
  [/(?<=\/home\/)[^/\s"']+/g, () => 'user'],
];

function kindOfIpv4(address: string): string | undefined {
  if (parseIpv4(address) === undefined || KEPT.test(address) || EVERYBODYS.has(address)) return undefined;
  if (isInCidr(address, '100.64.0.0/10')) return 'shared-address';
  return isPrivate(address) ? 'home-address' : 'public-address';
}

function kindOfIpv6(address: string): string | undefined {
  if (parseIpv6(address) === undefined || KEPT.test(address)) return undefined;
  return /^f[cde]/i.test(address) ? 'home-address' : 'public-address';
}

function kindOfHost(host: string): string | undefined {
  return EVERYBODYS.has(host.toLowerCase()) || NO_DOMAIN.test(host) ? undefined : 'host';
}

/** What the owner called things; found where the gateway's own answers stand. */
function namesIn(evidence: readonly Evidence[]): [string, string[]][] {
  const named = (key: string): string[] =>
    evidence.flatMap(({ raw }) => arrayAt(raw, ['status', key]).concat(arrayAt(raw, [key]))).flatMap(nameOf);
  const listed = (id: string): string[] =>
    evidence
      .filter((one) => one.id === id)
      .flatMap(({ raw }) => (Array.isArray(raw) ? raw.flatMap(nameOf) : []));
  return [
    ['service', named('services')],
    ['device', named('devices')],
    ['relay', listed('relay.relays')],
  ];
}

function arrayAt(value: unknown, path: readonly string[]): unknown[] {
  const [key, ...rest] = path;
  if (key === undefined) return Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof value !== 'object' || value === null || !(key in value)) return [];
  return arrayAt((value as Record<string, unknown>)[key], rest);
}

function nameOf(item: unknown): string[] {
  if (typeof item !== 'object' || item === null || !('name' in item)) return [];
  return typeof item.name === 'string' ? [item.name] : [];
}

/** Names of fields stay; they are ours. */
function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change)]));
}
