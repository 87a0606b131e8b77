import { z } from 'zod';
import type { DnsHost, RecordSet } from '../../core/names.ts';
import { ask, type HttpQuestion } from './http.ts';
import { notNow, refused } from './refusal.ts';

export interface CloudflareOptions {
  /** `https://api.cloudflare.com/client/v4` */
  readonly server: string;
  readonly zone: string;
  /** Of one zone, with the rights Zone:Read and DNS:Edit. */
  readonly token: string;
}

const Answer = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).default([]),
  result: z.unknown(),
});
const Zones = z.array(z.object({ id: z.string() }));
const Records = z.array(z.object({ id: z.string(), content: z.string() }));

/** Their shortest time to live for zones without a paid plan. */
const SHORTEST_TTL_SECONDS = 60;

export function cloudflare(options: CloudflareOptions): DnsHost {
  let zoneId: string | undefined;
  return {
    types: ['A', 'AAAA', 'TXT'],
    replace: async (sets, signal) => {
      zoneId ??= await findZone(options, signal);
      for (const set of sets) await replaceOne(options, zoneId, set, signal);
    },
  };
}

/** What should be is there before what should not goes, so that the name never has no record in between. */
async function replaceOne(
  options: CloudflareOptions,
  zoneId: string,
  set: RecordSet,
  signal: AbortSignal,
): Promise<void> {
  const path = `/zones/${encodeURIComponent(zoneId)}/dns_records`;
  const search = new URLSearchParams({ type: set.type, name: set.name, per_page: '100' });
  const found = await call(options, 'GET', `${path}?${search.toString()}`, undefined, signal);
  const have = Records.parse(found).map(({ id, content }) => ({ id, value: unquoted(content) }));
  const missing = set.values.filter((value) => !have.some((record) => record.value === value));
  const surplus = have.filter(({ value }) => !set.values.includes(value));
  for (const value of missing) {
    const reused = surplus.shift();
    const json = recordOf(set, value);
    if (reused === undefined) await call(options, 'POST', path, json, signal);
    else await call(options, 'PATCH', `${path}/${encodeURIComponent(reused.id)}`, json, signal);
  }
  for (const { id } of surplus) {
    await call(options, 'DELETE', `${path}/${encodeURIComponent(id)}`, undefined, signal);
  }
}

/** Never through their proxy: it ends TLS, and carries neither WireGuard nor Lightning. */
function recordOf({ name, type, ttlSeconds }: RecordSet, value: string): object {
  const content = type === 'TXT' ? JSON.stringify(value) : value;
  const isAddress = type !== 'TXT';
  const ttl = Math.max(ttlSeconds, SHORTEST_TTL_SECONDS);
  return { type, name, content, ttl, ...(isAddress ? { proxied: false } : {}) };
}

function unquoted(content: string): string {
  return /^".*"$/.test(content) ? content.slice(1, -1) : content;
}

async function findZone(options: CloudflareOptions, signal: AbortSignal): Promise<string> {
  const search = new URLSearchParams({ name: options.zone });
  const zones = Zones.parse(await call(options, 'GET', `/zones?${search.toString()}`, undefined, signal));
  const [first] = zones;
  if (first !== undefined) return first.id;
  throw refused(
    new URL(options.server).host,
    `the token sees no zone ${options.zone}`,
    `make a token for the zone ${options.zone} with the rights Zone:Read and DNS:Edit`,
  );
}

async function call(
  { server, zone, token }: CloudflareOptions,
  method: HttpQuestion['method'],
  path: string,
  json: object | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  const url = new URL(server.replace(/\/$/, '') + path);
  const question = { method, url, headers: { authorization: `Bearer ${token}` } };
  const answer = await ask(json === undefined ? question : { ...question, json }, signal);
  const { status, retryAfterSeconds } = answer;
  if (status === 429 || status >= 500) throw notNow(url.host, `HTTP ${status}`, retryAfterSeconds);
  const parsed = Answer.safeParse(parseJson(answer.body));
  if (!parsed.success) throw notNow(url.host, `HTTP ${status} without the answer that their API gives`);
  if (parsed.data.success) return parsed.data.result;
  const said = parsed.data.errors
    .map(({ code, message }) => `${code} ${message}`)
    .join(', ')
    .slice(0, 300);
  throw refused(
    url.host,
    said || `HTTP ${status}`,
    `look at the zone ${zone} and the rights of its token, then: gateway up`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
