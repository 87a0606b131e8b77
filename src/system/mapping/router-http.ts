import { connect } from 'node:net';
import { formatEndpoint } from '../../core/inet.ts';
import { GatewayError, errnoOf, messageOf } from '../../core/errors.ts';
import { MappingError } from '../../core/mapping.ts';
import { parseHttpReply, type HttpReply } from '../../wire/http-reply.ts';
import { parsePlace, type RouterPlace } from '../../wire/igd-description.ts';

export interface RouterRequest {
  /** The only address that is ever connected to. */
  readonly router: string;
  readonly place: RouterPlace;
  /** Our address that it comes from; left out: what the kernel chooses. */
  readonly from?: string;
  /** Posted when there is one. */
  readonly soap?: { readonly soapAction: string; readonly body: string };
  readonly timeoutMs?: number;
}

const MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 5000;
/** A router that declared more than it has, and keeps the connection: what came is all there is. */
const QUIET_MS = 700;

/**
 * One question to the router's small web server: a connection of its own, nothing kept, everything bounded. A description
 * may be moved once (some send from port 80 to another), to the router itself only; a call may not.
 */
export async function askRouterByHttp(request: RouterRequest, signal: AbortSignal): Promise<HttpReply> {
  const reply = await exchange(request, signal);
  const location = reply.headers.get('location') ?? '';
  if (![301, 302, 303, 307, 308].includes(reply.status)) return reply;
  const own = request.router.replace(/%.*$/, '');
  const base = `http://${formatEndpoint({ host: own, port: request.place.port })}${request.place.path}`;
  const place = isOwnUrl(location, base, own) ? parsePlace(location, base) : undefined;
  if (request.soap !== undefined || place === undefined) {
    throw new MappingError(
      `${request.router} sends UPnP questions on to ${JSON.stringify(location.slice(0, 80))}`,
      {
        refusal: 'failed',
      },
    );
  }
  return await exchange({ ...request, place }, signal);
}

function isOwnUrl(location: string, base: string, router: string): boolean {
  if (!URL.canParse(location, base)) return false;
  return new URL(location, base).hostname.replaceAll(/[[\]]/g, '') === router;
}

function requestText({ router, place, soap }: RouterRequest): string {
  // No interface behind a link-local address (RFC 6874 did not reach routers).
  const host = formatEndpoint({ host: router.replace(/%.*$/, ''), port: place.port });
  const head = [`${soap === undefined ? 'GET' : 'POST'} ${place.path} HTTP/1.1`, `Host: ${host}`];
  if (soap !== undefined) {
    head.push(
      'Content-Type: text/xml; charset="utf-8"',
      `Content-Length: ${Buffer.byteLength(soap.body)}`,
      `SOAPAction: ${soap.soapAction}`,
    );
  }
  return [...head, 'Connection: close', '', soap?.body ?? ''].join('\r\n');
}

function exchange(request: RouterRequest, signal: AbortSignal): Promise<HttpReply> {
  const { router, place, from, timeoutMs = TIMEOUT_MS } = request;
  const to = { host: router, port: place.port, ...(from === undefined ? {} : { localAddress: from }) };
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(aborted(router, signal));
    let received = '';
    let quiet: NodeJS.Timeout | undefined;
    // In one piece: some servers do not wait for the rest of a question.
    const socket = connect(to, () => socket.write(requestText(request)));
    const end = (act: () => void): void => {
      clearTimeout(deadline);
      clearTimeout(quiet);
      signal.removeEventListener('abort', abort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.destroy();
      act();
    };
    const abort = (): void => end(() => reject(aborted(router, signal)));
    const fail = (why: string, cause?: unknown): void => end(() => reject(unanswered(request, why, cause)));
    /** Takes what there is when it is whole, or when no more will come. */
    const take = (isOver: boolean): void => {
      const reply = parseHttpReply(received);
      if (reply === 'malformed') return fail('what came back is not HTTP');
      if (reply !== undefined && (isOver || reply.isWhole)) return end(() => resolve(reply));
      if (isOver) fail('it hung up in the middle of its answer');
    };
    const deadline = setTimeout(() => fail(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (received.length > MAX_BYTES) return fail(`its answer is larger than ${MAX_BYTES} bytes`);
      clearTimeout(quiet);
      quiet = setTimeout(() => (parseHttpReply(received) === undefined ? undefined : take(true)), QUIET_MS);
      take(false);
    });
    socket.on('end', () => take(true));
    socket.on('error', (error) => fail(messageOf(error), error));
  });
}

/** What cannot be reached at all is not there; what is there and says nothing of use may hang. */
function unanswered({ router, place }: RouterRequest, why: string, cause: unknown): MappingError {
  return new MappingError(`${router} does not answer UPnP on TCP port ${place.port}: ${why}`, {
    refusal: errnoOf(cause) === 'ECONNREFUSED' ? 'unsupported' : 'silent',
    cause,
  });
}

export function aborted(router: string, signal: AbortSignal): GatewayError {
  return new GatewayError(`asking ${router} was cancelled`, {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}
