import { request } from 'node:http';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { openStream, startTls, type Route } from './stream.ts';

export interface Post {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One bounded request; resolves once it was accepted (2xx). A redirect is refused: it would carry the token elsewhere. */
export async function post(
  { method, url, headers, body }: Post,
  route: Route,
  signal: AbortSignal,
): Promise<void> {
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const plain = await openStream({ host, port: Number(url.port) || (isTls ? 443 : 80) }, route, signal);
  const socket = isTls ? await startTls(plain, host, route, signal) : plain;
  try {
    const status = await new Promise<number>((resolve, reject) => {
      const path = `${url.pathname}${url.search}`;
      const asked = request({
        method,
        path,
        createConnection: () => socket,
        headers: {
          host: url.host,
          connection: 'close',
          'user-agent': 'gateway',
          ...headers,
          'content-length': Buffer.byteLength(body ?? ''),
        },
        signal,
      });
      asked.on('error', reject);
      // What it says beyond the status is not read: whoever answers does not fill our memory.
      asked.on('response', (response) => resolve(response.statusCode ?? 0));
      asked.end(body);
    });
    if (status < 200 || status > 299) {
      throw new GatewayError(`${url.host} answered ${status}`, {
        code: 'NotifyRefused',
        hint: 'check its address and token',
      });
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const code = signal.aborted ? 'Aborted' : 'Unreachable';
    throw new GatewayError(`${url.host} did not answer: ${messageOf(error)}`, { code, cause: error });
  } finally {
    socket.destroy();
  }
}
