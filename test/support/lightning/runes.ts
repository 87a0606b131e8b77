import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Runes as Core Lightning makes and checks them (github.com/rustyrussell/runes): an authentication code, which is SHA-256
 * over a secret and each restriction, each padded as SHA-256 pads its end; then the restrictions as text.
 */
export class RuneMaster {
  readonly #secret = randomBytes(16);
  readonly #blacklist = new Set<number>();
  #next = 0;

  create(restrictions: readonly (readonly string[])[]): { rune: string; unique_id: string } {
    const id = this.#next;
    this.#next += 1;
    const all = [`=${id}`, ...restrictions.map((alternatives) => alternatives.join('|'))];
    const code = this.#code(all);
    const rune = Buffer.concat([code, Buffer.from(all.join('&'))]).toString('base64url');
    return { rune, unique_id: String(id) };
  }

  blacklist(start: number, end: number): void {
    for (let id = start; id <= end; id += 1) this.#blacklist.add(id);
  }

  get blacklisted(): number[] {
    return [...this.#blacklist];
  }

  /** Why this rune does not allow the method; `undefined` when it does. */
  refusal(rune: string, method: string): string | undefined {
    const bytes = Buffer.from(rune, 'base64url');
    const restrictions = bytes.subarray(32).toString().split('&');
    if (bytes.length < 33 || !timingSafeEqual(this.#code(restrictions), bytes.subarray(0, 32))) {
      return 'Not authorized: Rune is not authorized';
    }
    const [id, ...rest] = restrictions;
    if (this.#blacklist.has(Number(id?.slice(1)))) return 'Not authorized: Blacklisted rune';
    const broken = rest.find((restriction) => !restriction.split('|').some((one) => holds(one, method)));
    return broken === undefined ? undefined : `Not permitted: method is not ${broken}`;
  }

  #code(restrictions: readonly string[]): Buffer {
    let data: Buffer = this.#secret;
    for (const restriction of restrictions)
      data = Buffer.concat([data, padding(data.length), Buffer.from(restriction)]);
    return createHash('sha256').update(data).digest();
  }
}

/** FIPS 180-4, 5.1.1: a one, zeros up to 56 of 64 bytes, the length in bits. */
function padding(length: number): Buffer {
  const zeros = (119 - (length % 64)) % 64;
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64BE(BigInt(length) * 8n);
  return Buffer.concat([Buffer.from([0x80]), Buffer.alloc(zeros), bits]);
}

function holds(alternative: string, method: string): boolean {
  const [, field, condition, value = ''] = /^([a-z]+)([=/^])(.*)$/.exec(alternative) ?? [];
  if (field !== 'method') return false;
  if (condition === '^') return method.startsWith(value);
  return condition === '=' ? method === value : method !== value;
}
