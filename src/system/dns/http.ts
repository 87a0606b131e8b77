import { GatewayError, messageOf } from '../../core/errors.ts';

/** What a host of names answered. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** Seconds after which to ask again, where it said so (RFC 9110 10.2.3, the form with seconds). */
  readonly retryAfterSeconds: number | undefined;
}

export interface HttpQuestion {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

const TIMEOUT_MS = 20_000;
const MAX_BODY_BYTES = 256 * 1024;
/** dyndns2 demands one that names the program; abuse is reported to whoever it names. */
const USER_AGENT = 'gateway/1 (self-hosted)';

/**
 * One bounded request. A redirect is not followed: it would carry the credential elsewhere. Errors name the host and never
 * the whole address, which holds the token of DuckDNS.
 */
export async function ask(question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
  const { method, url, headers, json } = question;
  try {
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        'user-agent': USER_AGENT,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    return {
      status: response.status,
      body: await readBounded(response),
      retryAfterSeconds: secondsOf(response.headers.get('retry-after')),
    };
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (signal.aborted)
      throw new GatewayError(`asking ${url.host} was cancelled`, { code: 'Aborted', retry: 'never' });
    // The cause may hold the whole address in its text, so it is told in our words and not kept.
    throw new GatewayError(`${url.host} could not be asked: ${reasonOf(error)}`, { code: 'Unreachable' });
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw new GatewayError(`an answer of more than ${MAX_BODY_BYTES} bytes was refused`, {
        code: 'Unreachable',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function secondsOf(text: string | null): number | undefined {
  return text !== null && /^[0-9]{1,6}$/.test(text) ? Number(text) : undefined;
}

/** `fetch failed` says nothing; its cause does: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (error instanceof Error && error.name === 'TimeoutError')
    return `no answer within ${TIMEOUT_MS / 1000} s`;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return code ?? messageOf(cause).split('http')[0]?.trim() ?? 'no answer';
}
