import { AsyncLocalStorage } from 'node:async_hooks';
import { Agent, request } from 'node:https';
import type * as AcmeClient from 'acme-client';
import { errnoOf, GatewayError, messageOf } from '../../core/errors.ts';

type Acme = typeof AcmeClient;

/** What an authority answered last: its client library tells only a sentence of it. */
export interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly body: unknown;
}

/** One job with one authority: everything that is sent during it goes this way, and ends with it. */
export interface Conversation {
  readonly signal: AbortSignal;
  readonly agent: Agent;
  last: Answer | undefined;
}

const TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 512 * 1024;
const USER_AGENT = 'gateway/1 (self-hosted)';

const conversations = new AsyncLocalStorage<Conversation>();
let loading: Promise<Acme> | undefined;

/** Fifty packages: only a gateway that orders certificates loads them. */
export function loadAcme(): Promise<Acme> {
  loading ??= import('acme-client').then(tame);
  return loading;
}

/**
 * Left to itself, acme-client has no timeout, sleeps a whole Retry-After inside a call and posts again, and follows
 * redirects and HTTP_PROXY. With an adapter of our own each request is sent once, bounded, and can be aborted.
 */
function tame(acme: Acme): Acme {
  acme.axios.defaults.adapter = async (config) => {
    const conversation = conversations.getStore();
    if (conversation === undefined)
      throw new TypeError('a request to an authority outside of a conversation');
    const { url = '', method = 'get' } = config;
    const headers = Object.fromEntries(
      Object.entries(config.headers).map(([name, value]) => [name, String(value)]),
    );
    const body = typeof config.data === 'string' ? config.data : undefined;
    const got = await send(conversation, { url, method: method.toUpperCase(), headers, body });
    conversation.last = { status: got.status, retryAfterMs: retryAfter(got.headers), body: jsonOf(got.text) };
    return { status: got.status, statusText: '', headers: got.headers, data: got.text, config, request: {} };
  };
  return acme;
}

export function converse<Result>(conversation: Conversation, job: () => Promise<Result>): Promise<Result> {
  return conversations.run(conversation, job);
}

export function openConversation(roots: string | undefined, signal: AbortSignal): Conversation {
  const agent = new Agent({ keepAlive: true, ...(roots === undefined ? {} : { ca: roots }) });
  return { signal, agent, last: undefined };
}

/** A plain GET of JSON: directory, renewal information. */
export async function getJson(conversation: Conversation, url: string): Promise<Answer> {
  const got = await send(conversation, {
    url,
    method: 'GET',
    headers: { accept: 'application/json' },
    body: undefined,
  });
  return { status: got.status, retryAfterMs: retryAfter(got.headers), body: jsonOf(got.text) };
}

interface Question {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

interface Got {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
}

function send({ signal, agent }: Conversation, { url, method, headers, body }: Question): Promise<Got> {
  const target = URL.parse(url);
  if (target?.protocol !== 'https:') {
    throw unreachable(`the authority named an address that is not https: ${url.slice(0, 200)}`);
  }
  const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(failure(target.host, error, signal, until));
    const length = body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` };
    const sent = request(target, {
      method,
      agent,
      signal: until,
      headers: { ...headers, ...length, 'user-agent': USER_AGENT, 'accept-encoding': 'identity' },
    });
    sent.on('error', fail);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_BODY_BYTES)
          response.destroy(new Error(`an answer of more than ${MAX_BODY_BYTES} bytes`));
      });
      response.on('error', fail);
      response.on('end', () => {
        const named = Object.entries(response.headers).map(([name, value]) => [
          name,
          [value].flat().join(', '),
        ]);
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(named), text });
      });
    });
    sent.end(body);
  });
}

function failure(host: string, error: unknown, signal: AbortSignal, until: AbortSignal): GatewayError {
  if (signal.aborted)
    return new GatewayError(`asking ${host} was cancelled`, { code: 'Aborted', retry: 'never' });
  if (until.aborted) return unreachable(`${host} did not answer within ${TIMEOUT_MS / 1000} s`, error);
  return unreachable(`${host} could not be asked: ${errnoOf(error) ?? messageOf(error)}`, error);
}

function unreachable(message: string, cause?: unknown): GatewayError {
  return new GatewayError(message, { code: 'Unreachable', cause });
}

/** RFC 9110 10.2.3: seconds, or a date. */
function retryAfter(headers: Readonly<Record<string, string>>): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
