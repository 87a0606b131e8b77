import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Authorization, Client, Order } from 'acme-client';
import { z } from 'zod';
import type { Authority } from '../../core/certificate.ts';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Keys } from '../../core/ports.ts';
import { p256Key } from '../p256.ts';
import { AuthorityError, translate } from './authority-error.ts';
import { converse, getJson, loadAcme, openConversation, type Conversation } from './exchange.ts';

const Directory = z.object({
  newOrder: z.string(),
  renewalInfo: z.string().optional(),
  meta: z
    .object({
      profiles: z.record(z.string(), z.unknown()).optional(),
      caaIdentities: z.array(z.string()).optional(),
    })
    .catch({})
    .default({}),
});
type Directory = z.infer<typeof Directory>;

/** What must outlive the daemon: the authority's name of our account, by its directory. */
export interface Accounts {
  get(directory: string): string | undefined;
  /** `identities`: how CAA records call the authority. */
  put(directory: string, url: string | undefined, identities?: readonly string[]): Promise<void>;
}

export interface OpenAuthority {
  readonly keys: Keys;
  readonly accounts: Accounts;
  readonly authority: Authority;
  /** Its directory, or that of its staging. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

export type AcmeOrder = Order & { readonly error?: unknown };
export type AcmeAuthorization = Authorization;
export type AcmeChallenge = Authorization['challenges'][number];

/** One job with one authority. `close` it at the end. */
export class OpenedAuthority {
  readonly host: string;
  readonly #options: OpenAuthority;
  readonly #conversation: Conversation;
  #directory: Directory | undefined;
  #client: Client | undefined;

  private constructor(options: OpenAuthority, conversation: Conversation) {
    this.#options = options;
    this.#conversation = conversation;
    this.host = URL.parse(options.directory)?.host ?? options.directory;
  }

  static async open(options: OpenAuthority): Promise<OpenedAuthority> {
    const { roots } = options.authority;
    const text = roots === undefined ? undefined : await readOwnersFile('certificates.roots', roots);
    return new OpenedAuthority(options, openConversation(text, options.signal));
  }

  close(): void {
    this.#conversation.agent.destroy();
  }

  /** What the last answer asked us to wait, in milliseconds. */
  get retryAfterMs(): number | undefined {
    return this.#conversation.last?.retryAfterMs;
  }

  async directory(): Promise<Directory> {
    if (this.#directory !== undefined) return this.#directory;
    const { status, body, retryAfterMs } = await getJson(this.#conversation, this.#options.directory);
    const parsed = Directory.safeParse(body);
    if (status !== 200 || !parsed.success) {
      const what = status === 200 ? 'no ACME directory' : `answered ${status}`;
      throw new AuthorityError(`${this.host}: ${what} at ${this.#options.directory}`, {
        retryAfterMs,
        hint: 'look at certificates.ca in gateway.yaml',
      });
    }
    this.#directory = parsed.data;
    return parsed.data;
  }

  /** Everything goes through here: the library's errors say only half of what was answered. */
  async call<Result>(job: (client: Client) => Promise<Result>): Promise<Result> {
    const client = await this.#account();
    try {
      return await this.#run(() => job(client));
    } catch (error) {
      // The account was removed there, or its server was made anew: the next try makes one, with the same key.
      if (error instanceof AuthorityError && error.problem === 'accountDoesNotExist') {
        await this.#options.accounts.put(this.#options.directory, undefined);
      }
      throw error;
    }
  }

  /** Its name of our account, which CAA records may demand (RFC 8657). */
  async accountUrl(): Promise<string> {
    return (await this.#account()).getAccountUrl();
  }

  /** RFC 8555 7.6; resolves also when it was revoked before. */
  async revoke(certificate: string, reason: number): Promise<void> {
    try {
      await this.call((client) => client.revokeCertificate(certificate, { reason }));
    } catch (error) {
      if (!(error instanceof AuthorityError) || error.problem !== 'alreadyRevoked') throw error;
    }
  }

  /** When another certificate should be ordered (RFC 9773 4.2); `undefined` where it advises nothing. */
  async renewalInfo(ariId: string): Promise<RenewalAdvice | undefined> {
    const { renewalInfo } = await this.directory();
    if (renewalInfo === undefined) return undefined;
    const { status, body, retryAfterMs } = await getJson(
      this.#conversation,
      `${renewalInfo.replace(/\/$/, '')}/${ariId}`,
    );
    const parsed = RenewalInfo.safeParse(body);
    if (status !== 200 || !parsed.success) return undefined;
    const start = Date.parse(parsed.data.suggestedWindow.start);
    const end = Date.parse(parsed.data.suggestedWindow.end);
    // A window that ends before it begins is to be taken for none.
    if (!(start < end)) return undefined;
    const { explanationURL: explanation } = parsed.data;
    return {
      start,
      end,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(explanation === undefined ? {} : { explanation: explanation.slice(0, 300) }),
    };
  }

  async #account(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    const { keys, accounts, authority, directory } = this.#options;
    const acme = await loadAcme();
    const secret = await keys.ensure(accountKeyName(directory), 'p256');
    const known = accounts.get(directory);
    const client = new acme.Client({
      directoryUrl: directory,
      accountKey: p256Key(secret.reveal()).export({ type: 'pkcs8', format: 'pem' }).toString(),
      ...(known === undefined ? {} : { accountUrl: known }),
      ...(authority.eab === undefined ? {} : { externalAccountBinding: await bindingOf(authority.eab) }),
    });
    if (known === undefined) {
      const contact = authority.email === undefined ? {} : { contact: [`mailto:${authority.email}`] };
      await this.#run(() =>
        client.createAccount({ termsOfServiceAgreed: true, ...contact }).catch(unlessKnown(client)),
      );
      const { meta } = await this.directory();
      await accounts.put(directory, client.getAccountUrl(), meta.caaIdentities);
    }
    this.#client = client;
    return client;
  }

  async #run<Result>(job: () => Promise<Result>): Promise<Result> {
    try {
      return await converse(this.#conversation, job);
    } catch (error) {
      throw translate(this.host, error, this.#conversation.last);
    }
  }
}

export interface RenewalAdvice {
  readonly start: number;
  readonly end: number;
  readonly retryAfterMs?: number;
  readonly explanation?: string;
}

const RenewalInfo = z.object({
  suggestedWindow: z.object({
    start: z.iso.datetime({ offset: true }),
    end: z.iso.datetime({ offset: true }),
  }),
  explanationURL: z.string().optional(),
});

/** Where the account exists already, the library goes on to change it, which not every authority likes. */
function unlessKnown(client: Client): (error: unknown) => void {
  return (error) => {
    try {
      client.getAccountUrl();
    } catch {
      throw error;
    }
  };
}

/** One account key for each authority. Its name must not change: the key would seem lost. */
function accountKeyName(directory: string): string {
  return `acme/${createHash('sha256').update(directory).digest('hex').slice(0, 32)}`;
}

async function bindingOf({
  kid,
  key,
}: NonNullable<Authority['eab']>): Promise<{ kid: string; hmacKey: string }> {
  return { kid, hmacKey: (await readOwnersFile('certificates.eab.key', key)).trim() };
}

async function readOwnersFile(what: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new GatewayError(`${what}: ${path} could not be read (${errnoOf(error) ?? 'no reason given'})`, {
      code: 'CertificateRefused',
      retry: 'when-changed',
      hint: `chown gateway ${path}; chmod 600 ${path}`,
      cause: error,
    });
  }
}
