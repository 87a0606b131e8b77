import { request } from 'node:https';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';

export interface NodeRequest {
  readonly host: string;
  readonly port: number;
  /** Address to come from, where the hub lets in no other. */
  readonly localAddress?: string | undefined;
  /** PEM; nothing else is trusted. */
  readonly certificate: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: object;
}

export interface NodeAnswer {
  readonly status: number;
  readonly body: unknown;
}

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 64 * 1024;

/**
 * One question to a Lightning node's REST interface. Its certificate is the configured one, or signed by it: names in it
 * are not looked at, because the node never heard of the address that it has here. Nothing is sent before that is known.
 */
export function askNode(asked: NodeRequest, signal: AbortSignal): Promise<NodeAnswer> {
  const { host, port, localAddress, certificate, method, path, headers, body } = asked;
  const data = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(failure(`${host}:${port}`, cause, signal));
    const options = {
      host,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      ca: certificate,
      checkServerIdentity: () => undefined,
      minVersion: 'TLSv1.2',
      agent: false,
      method,
      path,
      signal: limit,
      headers: {
        ...headers,
        ...(data === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': data.length }),
      },
    } as const;
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MOST_BYTES) sent.destroy(new Error(`it answers with more than ${MOST_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString('utf8')) }),
      );
    });
    sent.on('error', fail);
    sent.end(data);
  });
}

/** What is no JSON says nothing; whoever asked checks the shape. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The certificate was not the configured one, or is not valid at this time (node:tls, X509 codes of OpenSSL). */
const UNTRUSTED = /CERT|SELF_SIGNED|ISSUER|SIGNATURE/;

function failure(where: string, cause: unknown, signal: AbortSignal): GatewayError {
  const errno = errnoOf(cause) ?? '';
  if (signal.aborted)
    return new GatewayError('the node was not asked to the end', { code: 'Aborted', cause });
  if (cause instanceof Error && cause.name === 'AbortError') {
    return new GatewayError(`the node at ${where} did not answer within ${TIMEOUT_MS / 1000} s`, {
      code: 'Timeout',
      cause,
    });
  }
  if (errno === 'ECONNREFUSED') {
    return new GatewayError(`nothing listens at ${where}: the node does not run`, {
      code: 'ConnectionRefused',
      cause,
    });
  }
  if (UNTRUSTED.test(errno)) {
    return new GatewayError(
      `who answers at ${where} has another certificate than the node: ${messageOf(cause)}`,
      {
        code: 'NodeFailed',
        hint: 'name the file of its certificate as it is now in gateway.yaml: node: { certificate: … }',
        cause,
      },
    );
  }
  return new GatewayError(`the node at ${where} could not be asked: ${messageOf(cause)}`, {
    code: 'Unreachable',
    cause,
  });
}
