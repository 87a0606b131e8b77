import { z } from 'zod';
import { withoutZone, type DnsHost, type RecordSet } from '../../core/names.ts';
import { ask, type HttpAnswer, type HttpQuestion } from './http.ts';
import { notNow, refused } from './refusal.ts';

export interface DesecOptions {
  /** `https://desec.io` */
  readonly server: string;
  readonly zone: string;
  readonly token: string;
}

const Domain = z.object({ minimum_ttl: z.number().default(3600) });

/** All sets in one request, which is made whole or not at all; a set without records is deleted. */
export function desec(options: DesecOptions): DnsHost {
  let minimumTtl: number | undefined;
  return {
    types: ['A', 'AAAA', 'TXT'],
    replace: async (sets, signal) => {
      minimumTtl ??= await minimumTtlOf(options, signal);
      const ttl = minimumTtl;
      const json = sets.map((set) => bodyOf(set, options.zone, ttl));
      await call(options, { method: 'PATCH', url: urlOf(options, 'rrsets/'), json }, signal);
    },
  };
}

/** Makes a name of one's own below a public zone of theirs (`myname.dedyn.io`); that this account has it already is fine. */
export async function registerDesecName(options: DesecOptions, signal: AbortSignal): Promise<void> {
  const owned = await callRaw(options, { method: 'GET', url: urlOf(options, '') }, signal);
  if (owned.status === 200) return;
  const url = new URL('/api/v1/domains/', options.server);
  await call(options, { method: 'POST', url, json: { name: options.zone } }, signal);
}

/** 60 s for names below dedyn.io, an hour for other zones: anything shorter is refused. */
async function minimumTtlOf(options: DesecOptions, signal: AbortSignal): Promise<number> {
  const answer = await call(options, { method: 'GET', url: urlOf(options, '') }, signal);
  const parsed = Domain.safeParse(parseJson(answer.body));
  return parsed.success ? parsed.data.minimum_ttl : 3600;
}

function bodyOf({ name, type, ttlSeconds, values }: RecordSet, zone: string, minimumTtl: number): object {
  const records = type === 'TXT' ? values.map((value) => JSON.stringify(value)) : values;
  return { subname: withoutZone(name, zone), type, ttl: Math.max(ttlSeconds, minimumTtl), records };
}

function urlOf({ server, zone }: DesecOptions, path: string): URL {
  return new URL(`/api/v1/domains/${encodeURIComponent(zone)}/${path}`, server);
}

function callRaw({ token }: DesecOptions, question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
  return ask({ ...question, headers: { authorization: `Token ${token}` } }, signal);
}

async function call(options: DesecOptions, question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
  const answer = await callRaw(options, question, signal);
  const { status, body, retryAfterSeconds } = answer;
  const { host } = question.url;
  if (status >= 200 && status < 300) return answer;
  if (status === 429) throw notNow(host, 'too many requests', retryAfterSeconds);
  if (status >= 500) throw notNow(host, `HTTP ${status}`, retryAfterSeconds);
  const said = `HTTP ${status} ${body.slice(0, 300)}`.trim();
  throw refused(host, said, `look at the zone ${options.zone} and its token at ${host}, then: gateway up`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
