import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { METRICS_TYPE } from '../api/describe.ts';
import { messageOf } from '../core/errors.ts';
import { parseEndpoint } from '../core/inet.ts';
import type { Log } from '../core/ports.ts';

export interface MetricsPortOptions {
  /** `host:port` of the config; `undefined`: none. */
  readonly wanted: () => string | undefined;
  readonly measure: () => Promise<string>;
  readonly log: Log;
}

/** The same as on the API's socket, and nothing else, on a port where Prometheus can read it. */
export class MetricsPort {
  readonly #options: MetricsPortOptions;
  #server: Server | undefined;
  #at: string | undefined;
  #trouble: string | undefined;

  constructor(options: MetricsPortOptions) {
    this.#options = options;
  }

  /** Listens where the config says by now. */
  async settle(): Promise<void> {
    const wanted = this.#options.wanted();
    if (wanted === this.#at) return;
    await this.close();
    const place = wanted === undefined ? undefined : parseEndpoint(wanted);
    if (place === undefined) return;
    const server = createServer((request, response) => void this.#answer(request, response));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen({ host: place.host, port: place.port }, resolve);
      });
      [this.#server, this.#at, this.#trouble] = [server, wanted, undefined];
    } catch (error) {
      this.#trouble = `metrics cannot be read at ${wanted}: ${messageOf(error)}; it is tried again`;
    }
  }

  remarks(): string[] {
    return this.#trouble === undefined ? [] : [this.#trouble];
  }

  async close(): Promise<void> {
    const server = this.#server;
    [this.#server, this.#at, this.#trouble] = [undefined, undefined, undefined];
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number): void => void response.writeHead(status).end();
    if (request.method !== 'GET' || request.url !== '/metrics') return refuse(404);
    if (isFromPage(request)) return refuse(403);
    try {
      const text = await this.#options.measure();
      response.writeHead(200, { 'content-type': METRICS_TYPE }).end(text);
    } catch (error) {
      this.#options.log('error', 'metrics could not be measured', { error: messageOf(error) });
      refuse(500);
    }
  }
}

/** A web page reads nothing here: a name that leads to this machine (DNS rebinding) is not how Prometheus calls it. */
function isFromPage({ headers }: IncomingMessage): boolean {
  const host = parseEndpoint(headers.host ?? '')?.host ?? headers.host ?? '';
  const isNumber = isIP(host.replace(/^\[|\]$/g, '')) !== 0 || host === 'localhost';
  return !isNumber || headers.origin !== undefined || headers.referer !== undefined;
}
