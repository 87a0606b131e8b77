import { z } from 'zod';
import { DnsAccess } from '../../core/dns-config.ts';
import { GatewayError } from '../../core/errors.ts';
import { recordsOf, type HomeName, type KeptName, type NameAddresses } from '../../core/names.ts';
import type { Log, NamesPort } from '../../core/ports.ts';
import { readFileIfExists, writeFileAtomic } from '../files.ts';
import { openDnsHost } from './open.ts';

const Addresses = z.strictObject({ ipv4: z.string().exactOptional(), ipv6: z.string().exactOptional() });
const Kept = z.strictObject({
  name: z.strictObject({
    name: z.string(),
    wildcard: z.boolean(),
    zone: z.string(),
    access: DnsAccess,
    isForPage: z.literal(true).exactOptional(),
    at: z.strictObject({ ipv4: z.string() }).exactOptional(),
    also: z.strictObject({ ipv4: z.string() }).exactOptional(),
  }),
  published: Addresses,
  publishedAt: z.string().exactOptional(),
  trouble: z
    .strictObject({
      message: z.string(),
      hint: z.string().exactOptional(),
      againAtMs: z.number().exactOptional(),
      addresses: Addresses,
    })
    .exactOptional(),
});
const File = z.strictObject({ names: z.array(Kept) });

/** dyndns2's `911` asks for half an hour; nobody needs to hear more often from a home whose address stands. */
const AGAIN_AFTER_MS = 300_000;

export interface NamesOptions {
  /** `names.json`: what hosts said yes to, so that a restart asks for nothing that is so already. */
  readonly path: string;
  readonly now: () => number;
  readonly log: Log;
}

/** Remembers what was published and why something could not be. What it remembers may be lost: it is then asked for again. */
export class Names implements NamesPort {
  readonly #options: NamesOptions;
  #kept: Map<string, KeptName> | undefined;

  constructor(options: NamesOptions) {
    this.#options = options;
  }

  async kept(): Promise<readonly KeptName[]> {
    return [...(await this.#load()).values()];
  }

  async publish(name: HomeName, addresses: NameAddresses, signal: AbortSignal): Promise<void> {
    const before = (await this.#load()).get(name.name);
    if (Object.keys(addresses).length === 0) return this.#put({ name, published: before?.published ?? {} });
    try {
      const host = await openDnsHost(name.zone, name.access);
      await host.replace(
        recordsOf(name, addresses).filter(({ type }) => host.types.includes(type)),
        signal,
      );
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
      await this.#put({
        name,
        published: before?.published ?? {},
        trouble: this.#troubleOf(error, addresses),
      });
      throw error;
    }
    const publishedAt = new Date(this.#options.now()).toISOString();
    await this.#put({ name, published: addresses, publishedAt });
  }

  /** Best effort: a name that still points here harms nobody, and `gateway down` must not wait for a company. */
  async withdraw(name: HomeName, signal: AbortSignal): Promise<void> {
    const kept = await this.#load();
    const { published = {} } = kept.get(name.name) ?? {};
    if (Object.keys(published).length > 0) await this.#takeAway(name, signal);
    kept.delete(name.name);
    await this.#save();
  }

  async #takeAway(name: HomeName, signal: AbortSignal): Promise<void> {
    try {
      const host = await openDnsHost(name.zone, name.access);
      const sets = recordsOf(name, {}).filter(({ type }) => host.types.includes(type));
      await host.replace(sets, signal);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
      this.#options.log('warn', `${name.name} still has its last address`, { error: error.message });
    }
  }

  async forgetTroubles(): Promise<void> {
    const kept = await this.#load();
    for (const [key, { trouble, ...rest }] of kept)
      if (trouble !== undefined) kept.set(key, { ...rest, published: {} });
  }

  troubles(): readonly string[] {
    return [...(this.#kept?.values() ?? [])].flatMap(({ name, trouble }) => {
      if (trouble === undefined) return [];
      const next = trouble.hint === undefined ? '' : `; ${trouble.hint}`;
      return [`${name.name} is not at the home's address: ${trouble.message}${next}`];
    });
  }

  #troubleOf(
    { message, hint, retry }: GatewayError,
    addresses: NameAddresses,
  ): NonNullable<KeptName['trouble']> {
    const again = retry === 'backoff' ? { againAtMs: this.#options.now() + AGAIN_AFTER_MS } : {};
    return { message, ...(hint === undefined ? {} : { hint }), ...again, addresses };
  }

  async #put(kept: KeptName): Promise<void> {
    (await this.#load()).set(kept.name.name, kept);
    await this.#save();
  }

  async #load(): Promise<Map<string, KeptName>> {
    if (this.#kept !== undefined) return this.#kept;
    const text = (await readFileIfExists(this.#options.path))?.toString();
    const names = text === undefined ? [] : this.#parse(text);
    this.#kept ??= new Map(names.map((kept) => [kept.name.name, kept]));
    return this.#kept;
  }

  #parse(text: string): KeptName[] {
    try {
      return File.parse(JSON.parse(text)).names;
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error instanceof z.ZodError)) throw error;
      this.#options.log('warn', `${this.#options.path} is damaged; every name is published again`);
      return [];
    }
  }

  async #save(): Promise<void> {
    const names = [...(this.#kept?.values() ?? [])];
    await writeFileAtomic(this.#options.path, `${JSON.stringify({ names })}\n`, { mode: 0o600 });
  }
}
