import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { Devices } from './devices.ts';

/** A short tick instead of one long timer: the clock may be set, and Node fires a timer of a month at once. */
const TICK_MS = 1000;
const AFTER_FAILURE_MS = 15_000;

/** Revokes devices on time. While the daemon does not run nobody does: then right after its start. */
export class Expiry {
  readonly #devices: Pick<Devices, 'expire'>;
  readonly #log: Log;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(devices: Pick<Devices, 'expire'>, log: Log) {
    this.#devices = devices;
    this.#log = log;
  }

  start(): void {
    this.#wait(TICK_MS);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #wait(waitMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#tick();
    }, waitMs);
  }

  async #tick(): Promise<void> {
    try {
      await this.#devices.expire(this.#abort.signal);
      this.#wait(TICK_MS);
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.#log('error', 'a device whose time is over was not revoked yet', { error: messageOf(error) });
      }
      this.#wait(AFTER_FAILURE_MS);
    }
  }
}
