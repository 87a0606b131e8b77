import { GatewayError } from '../core/errors.ts';
import type { DescriptorUploads, UploadCause } from '../core/descriptor.ts';
import type { PageVisit, TorPort } from '../core/ports.ts';
import { TorConnection } from './tor-connection.ts';
import { TorUploads } from './tor-uploads.ts';
import { visitPageThroughTor, visitThroughTor } from './tor-visit.ts';

export interface TorPortOptions {
  readonly controlSocket: string;
  readonly socksSocket: string;
  /** tor ended, or stopped to answer. Told at most every 30 seconds, so that one that keeps ending is not hurried. */
  readonly lost?: () => void;
  /** An upload that was waited for did not come to an end in time. */
  readonly late?: () => void;
}

const TELL_EVERY_MS = 30_000;

/** Our own tor, seen over its unix sockets. Nothing is opened before it is needed. */
export function createTorPort(options: TorPortOptions): TorPort {
  return new UnixTorPort(options);
}

class UnixTorPort implements TorPort {
  readonly #options: TorPortOptions;
  readonly #uploads = new TorUploads(() => performance.now());
  #connection: Promise<TorConnection> | undefined;
  #isClosed = false;
  #lateTimer: NodeJS.Timeout | undefined;
  #toldAt = -TELL_EVERY_MS;

  constructor(options: TorPortOptions) {
    this.#options = options;
  }

  async command(line: string, signal: AbortSignal): Promise<readonly string[]> {
    if (/[\r\n]/.test(line)) {
      throw new GatewayError('a command to tor is one line', { code: 'InvalidRequest', retry: 'never' });
    }
    const connection = await abortable(this.#connect(), signal);
    return connection.command(line, signal);
  }

  uploads(address: string): DescriptorUploads {
    return this.#uploads.of(address);
  }

  expectUpload(address: string, cause: UploadCause): void {
    this.#uploads.expect(address, cause);
    this.#watchUploads();
  }

  async visit(host: string, port: number, signal: AbortSignal): Promise<number> {
    const took = await visitThroughTor(this.#options.socksSocket, host, port, signal);
    this.#noteVisit(host);
    return took;
  }

  async visitPage(host: string, port: number, signal: AbortSignal): Promise<PageVisit> {
    const visit = await visitPageThroughTor(this.#options.socksSocket, host, port, signal);
    this.#noteVisit(host);
    return visit;
  }

  #noteVisit(host: string): void {
    // Whoever got through to an onion had its descriptor: also one that was uploaded before we began to listen.
    const address = /^([a-z2-7]{56})\.onion$/.exec(host)?.[1];
    if (address !== undefined && this.#connection !== undefined) this.#uploads.visited(address);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#lateTimer);
    const opening = this.#connection;
    this.#connection = undefined;
    if (opening === undefined) return;
    const [opened] = await Promise.allSettled([opening]);
    if (opened.status === 'fulfilled') opened.value.close();
  }

  /** One connection for all; when it ends, tor may have been restarted, and what it had uploaded is not known. */
  #connect(): Promise<TorConnection> {
    if (this.#isClosed) return Promise.reject(new TypeError('the tor port was closed'));
    const current = this.#connection;
    if (current !== undefined) return current;
    const opening = TorConnection.open(this.#options.controlSocket, {
      descriptor: (event) => {
        this.#uploads.take(event);
        this.#watchUploads();
      },
      ended: () => forget(),
    });
    const forget = (): void => {
      if (this.#connection !== opening) return;
      this.#connection = undefined;
      this.#uploads.clear();
      if (hasWorked) this.#tellLost();
    };
    let hasWorked = false;
    opening.then(() => (hasWorked = true), forget);
    this.#connection = opening;
    return opening;
  }

  #watchUploads(): void {
    clearTimeout(this.#lateTimer);
    const waitMs = this.#uploads.lateInMs();
    if (waitMs === undefined || this.#isClosed) return;
    const tell = (): void => {
      this.#options.late?.();
      this.#watchUploads();
    };
    // A little later than late: whoever looks then must find it so.
    this.#lateTimer = setTimeout(tell, waitMs + 100).unref();
  }

  #tellLost(): void {
    if (performance.now() - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = performance.now();
    this.#options.lost?.();
  }
}

/** The connection is shared: who stops waiting for it must not take it from the others. */
async function abortable<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const cancelled = Promise.withResolvers<never>();
  const abort = (): void =>
    cancelled.reject(
      new GatewayError('the question to tor was cancelled', {
        code: 'Aborted',
        retry: 'never',
        cause: signal.reason,
      }),
    );
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, cancelled.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
