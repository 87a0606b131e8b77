import { formatIpv6, parseIpv6 } from '../core/inet6.ts';

/** So many at once, and one more each so often; a token bucket for each key. */
export interface Rate {
  readonly burst: number;
  readonly refillMs: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

const MAX_KEYS = 10_000;

/** Bounded also in memory: when too many keys are known, the one that was seen first is forgotten. */
export class Allowance {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Is one more left for this key? Takes it. */
  take(key: string): boolean {
    const bucket = this.#refilled(key);
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }

  has(key: string): boolean {
    return this.#refilled(key).left >= 1;
  }

  #refilled(key: string): Bucket {
    const { burst, refillMs } = this.#rate;
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { left: burst, atMs: now };
    const gained = Math.max(now - bucket.atMs, 0) / refillMs;
    Object.assign(bucket, { left: Math.min(burst, bucket.left + gained), atMs: now });
    if (!this.#buckets.has(key)) this.#remember(key, bucket);
    return bucket;
  }

  #remember(key: string, bucket: Bucket): void {
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= MAX_KEYS && oldest !== undefined) this.#buckets.delete(oldest);
    this.#buckets.set(key, bucket);
  }
}

/** Whoever has one IPv6 address has the whole /64. */
export function sourceOf(address: string): string {
  const value = parseIpv6(address);
  return value === undefined ? address : formatIpv6((value >> 64n) << 64n);
}
