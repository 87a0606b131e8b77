import type { Handout } from '../core/contract.ts';
import { HANDOUT_PATH } from '../core/name.ts';
import type { Crypto, Log } from '../core/ports.ts';
import { Secret } from '../core/secret.ts';
import type { Device } from '../core/service.ts';
import { type Asked, createHandoutApp, type Handed, type HandoutDesk } from '../api/handout-app.ts';
import type { Recorder } from './journal.ts';
import { serveOnSocket } from './listen.ts';

/** Long enough to pick up a phone, too short to be found in a chat later. */
const LIFE_MS = 15 * 60_000;
/** An end is told for so long, instead of knowing nothing. */
const TOLD_MS = 24 * 3600_000;
const TOKEN_BYTES = 16;
const MINUTE_MS = 60_000;
/** In a minute, from one address and from all; whoever has a link that works is not counted. */
const MISSES = { one: 10, all: 100 } as const;

interface Link {
  readonly device: string;
  /** Of the certificate. */
  readonly fingerprint: string | undefined;
  readonly file: string;
  /** Of the page at which it works, as `Host` says it. */
  readonly host: string;
  readonly expiresAtMs: number;
  /** Until it is over. */
  pkcs12: Secret<Uint8Array> | undefined;
  used?: { readonly atMs: number; readonly holderHash: string };
}

export interface DeviceLinksOptions {
  /** Where HAProxy asks; its directory is made by the helper. */
  readonly socket: string;
  readonly crypto: Crypto;
  readonly now: () => number;
  readonly record: Recorder;
  readonly log: Log;
}

/**
 * One-time links to the certificates of devices. They are held in memory alone: what is nowhere on disk is found on none,
 * and a restart costs a `device renew`. Looked up by the hash of the token, so that time says nothing of it.
 */
export class DeviceLinks implements HandoutDesk {
  readonly #options: DeviceLinksOptions;
  readonly #links = new Map<string, Link>();
  readonly #misses = new Map<string, number>();
  #window = 0;
  #server: Promise<{ close(): Promise<void> }> | undefined;

  constructor(options: DeviceLinksOptions) {
    this.#options = options;
  }

  /** The handouts with a link for the certificate that is among them, where one of its pages can serve it. */
  async add(device: Device, handouts: readonly Handout[]): Promise<readonly Handout[]> {
    const certificate = handouts.find(({ kind }) => kind === 'client-certificate');
    const page = handouts.find(({ kind, text }) => kind === 'link' && text.startsWith('https://'));
    if (certificate === undefined || page === undefined) return handouts;
    await this.#serve();
    const { crypto, now } = this.#options;
    const token = Buffer.from(crypto.random(TOKEN_BYTES)).toString('base64url');
    const { host, origin } = new URL(page.text);
    this.#forget();
    this.#links.set(this.#hash(token), {
      device: device.name,
      fingerprint: device.certificate,
      file: certificate.file,
      host,
      expiresAtMs: now() + LIFE_MS,
      pkcs12: new Secret(Buffer.from(certificate.text, 'base64')),
    });
    const link: Handout = {
      kind: 'client-certificate-link',
      label: `Certificate of ${device.name}: open this on it, once, within ${LIFE_MS / MINUTE_MS} minutes`,
      file: `${device.name}-link.txt`,
      secret: true,
      text: `${origin}${HANDOUT_PATH}${token}`,
    };
    return [link, ...handouts];
  }

  /** The certificate opens nothing any more. */
  drop(fingerprint: string): void {
    for (const link of this.#links.values()) if (link.fingerprint === fingerprint) link.pkcs12 = undefined;
  }

  look({ token, host, from, holder }: Asked): Handed {
    this.#forget();
    const link = this.#links.get(this.#hash(token));
    if (link === undefined || link.host !== host) {
      return this.#miss(from, { status: 'unknown' }, 'asked for a certificate by a link that is unknown');
    }
    const { device, file, used, pkcs12 } = link;
    const what = `asked for the certificate of ${device} by a link that`;
    const isHolder = holder !== undefined && used?.holderHash === this.#hash(holder);
    if (used !== undefined && !isHolder) {
      const at = new Date(used.atMs).toISOString();
      return this.#miss(from, { status: 'used', device, at }, `${what} was used at ${at}`);
    }
    if (pkcs12 === undefined) return this.#miss(from, { status: 'over', device }, `${what} is over`);
    return { status: 'ready', device, file, ...(isHolder ? { content: pkcs12.reveal() } : {}) };
  }

  take(asked: Asked): Handed {
    const seen = this.look(asked);
    const link = this.#links.get(this.#hash(asked.token));
    if (seen.status !== 'ready' || link?.pkcs12 === undefined || link.used !== undefined) return seen;
    const { crypto, now, record } = this.#options;
    const holder = Buffer.from(crypto.random(TOKEN_BYTES)).toString('base64url');
    link.used = { atMs: now(), holderHash: this.#hash(holder) };
    const { device } = link;
    record('device.fetched', `${device} fetched its certificate, from ${asked.from}`, {
      device,
      from: asked.from,
    });
    return { ...seen, content: link.pkcs12.reveal(), holder };
  }

  async close(): Promise<void> {
    const server = await this.#server;
    await server?.close();
  }

  #serve(): Promise<unknown> {
    this.#server ??= this.#listen().catch((error: unknown) => {
      this.#server = undefined;
      throw error;
    });
    return this.#server;
  }

  /** The directory around it is HAProxy's and ours alone. */
  async #listen(): Promise<{ close(): Promise<void> }> {
    const { log, socket } = this.#options;
    return serveOnSocket(createHandoutApp(this, log), socket, { mode: 0o666 });
  }

  /** Noted, until there are too many. */
  #miss(from: string, handed: Handed, what: string): Handed {
    const { now, record } = this.#options;
    const window = Math.floor(now() / MINUTE_MS);
    if (window !== this.#window) {
      this.#window = window;
      this.#misses.clear();
    }
    const all = [...this.#misses.values()].reduce((sum, count) => sum + count, 0);
    const mine = this.#misses.get(from) ?? 0;
    if (all >= MISSES.all || mine >= MISSES.one) return { status: 'often' };
    this.#misses.set(from, mine + 1);
    record('device.linkRefused', `somebody at ${from} ${what}`, { from });
    return handed;
  }

  /** Takes away what is over, and later also that it was. */
  #forget(): void {
    const now = this.#options.now();
    for (const [key, link] of this.#links) {
      if (now >= link.expiresAtMs) link.pkcs12 = undefined;
      if (now >= link.expiresAtMs + TOLD_MS) this.#links.delete(key);
    }
  }

  #hash(token: string): string {
    return Buffer.from(this.#options.crypto.sha256(Buffer.from(token))).toString('hex');
  }
}
