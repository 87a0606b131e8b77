import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf } from '../../core/errors.ts';
import { PortSpec } from '../../core/mapper.ts';
import { MAPPING_PROTOCOLS } from '../../core/mapping.ts';
import { begin, type Held, type PortState } from '../../core/mapping-lease.ts';
import { writeFileAtomic } from '../files.ts';

const Mark = z.object({ epochSeconds: z.number().exactOptional(), bootId: z.string().exactOptional() });
const StoredLease = z.object({
  protocol: z.enum(MAPPING_PROTOCOLS),
  router: z.string(),
  transport: z.enum(['udp', 'tcp']),
  internalAddress: z.string(),
  internalPort: z.number(),
  externalPort: z.number(),
  externalAddress: z.string().exactOptional(),
  lifetimeSeconds: z.number(),
  nonce: z.string(),
  description: z.string(),
  mark: Mark,
});
const StoredDoubt = z.object({
  tried: z.number(),
  rests: z.number(),
  notBefore: z.number(),
  firstPort: z.number(),
  why: z.string(),
});
const StoredPort = z.object({
  spec: PortSpec,
  told: z.number().exactOptional(),
  doubt: StoredDoubt.exactOptional(),
  nonce: z.string().regex(/^[0-9a-f]{24}$/),
  held: z
    .object({
      lease: StoredLease,
      since: z.number(),
      expiresAt: z.number().exactOptional(),
      seen: z.object({ mark: Mark, at: z.number() }),
    })
    .exactOptional(),
});
const Memory = z.object({
  version: z.literal(1),
  /** Tells our entries in a router's table from those of another gateway: six hex digits. */
  mark: z.string().regex(/^[0-9a-f]{6}$/),
  ports: z.array(StoredPort),
  /** What is known of a router, by its address. */
  routers: z.record(
    z.string(),
    z.object({ protocol: z.enum(MAPPING_PROTOCOLS), permanentOnly: z.boolean() }),
  ),
});
export type Memory = z.infer<typeof Memory>;

export function emptyMemory(): Memory {
  return { version: 1, mark: randomBytes(3).toString('hex'), ports: [], routers: {} };
}

/** What was read is not what was written. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof z.ZodError;
}

/**
 * What the next daemon must know: the leases that it adopts, and the nonces without which nobody can renew or remove
 * them. Losing it costs no more than leases that end by themselves, so a damaged file is none.
 */
export class MemoryFile {
  readonly #path: string;
  #written = '';

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<Memory> {
    try {
      const text = await readFile(this.#path, 'utf8');
      return Memory.parse(JSON.parse(text));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || isUnreadable(error)) return emptyMemory();
      throw error;
    }
  }

  async write(memory: Memory): Promise<void> {
    const text = `${JSON.stringify(memory)}\n`;
    if (text === this.#written) return;
    await writeFileAtomic(this.#path, text, { mode: 0o600 });
    this.#written = text;
  }
}

export function storedOf({ spec, nonce, held, told, doubt }: PortState): Memory['ports'][number] {
  return {
    spec,
    nonce,
    ...(told === undefined ? {} : { told }),
    ...(doubt === undefined ? {} : { doubt }),
    ...(held === undefined ? {} : { held: storedHeld(held) }),
  };
}

function storedHeld({ expiresAt, ...rest }: Held): NonNullable<Memory['ports'][number]['held']> {
  return { ...rest, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

/** The lease goes on as it was; the router is looked at first of all. */
export function restored(
  { spec, nonce, held, told, doubt }: Memory['ports'][number],
  now: number,
): PortState {
  const fresh = { ...begin(spec, nonce, now), told, doubt };
  if (held === undefined) return fresh;
  const { lease } = held;
  if (held.expiresAt !== undefined && held.expiresAt <= now) {
    return { ...fresh, last: lease, closedAt: held.expiresAt };
  }
  const half = held.since + lease.lifetimeSeconds * 500;
  return {
    ...fresh,
    held: { ...held, expiresAt: held.expiresAt },
    last: lease,
    askAt: held.expiresAt === undefined ? now : Math.max(half, now),
    checkAt: now,
  };
}
