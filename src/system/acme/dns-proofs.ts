import { setTimeout as sleep } from 'node:timers/promises';
import type { DnsAccess } from '../../core/dns-config.ts';
import { GatewayError } from '../../core/errors.ts';
import { zoneOf } from '../../core/names.ts';
import { Turn } from '../../core/turn.ts';
import { everyServerShows } from '../dns/lookup.ts';
import { openDnsHost } from '../dns/open.ts';
import type { Proof } from './order.ts';

type DnsProof = Extract<Proof, { type: 'dns-01' }>;

const TTL_SECONDS = 60;
/** Secondary servers and the APIs of companies take a while; then the authority is asked to look in any case. */
const SHOWN_MS = 90_000;
const LOOK_MS = 1000;
const REMOVE_MS = 20_000;

/** Puts proofs into DNS. A name and its wildcard are proved at the same record, maybe at the same time. */
export class DnsProofs {
  readonly #zones: () => Readonly<Record<string, DnsAccess>>;
  readonly #turn = new Turn();
  readonly #values = new Map<string, readonly string[]>();

  constructor(zones: () => Readonly<Record<string, DnsAccess>>) {
    this.#zones = zones;
  }

  async show({ name, value }: DnsProof, signal: AbortSignal): Promise<() => Promise<void>> {
    const zone = zoneOf(name, Object.keys(this.#zones()));
    if (zone === undefined) {
      throw new GatewayError(`nobody is known who may change ${name}`, {
        code: 'NameRefused',
        hint: 'add its zone to dns.zones in gateway.yaml (docs/names.md)',
      });
    }
    await this.#change(zone, name, (values) => [...values, value], signal);
    await this.#wait({ zone, name, value }, signal);
    const without = (values: readonly string[]): string[] => values.filter((each) => each !== value);
    return () => this.#change(zone, name, without, AbortSignal.timeout(REMOVE_MS));
  }

  #change(
    zone: string,
    name: string,
    change: (values: readonly string[]) => readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    return this.#turn.take(async () => {
      const access = this.#zones()[zone];
      if (access === undefined) return;
      const values = change(this.#values.get(name) ?? []);
      const host = await openDnsHost(zone, access);
      await host.replace([{ name, type: 'TXT', ttlSeconds: TTL_SECONDS, values }], signal);
      if (values.length === 0) this.#values.delete(name);
      else this.#values.set(name, values);
    });
  }

  async #wait(record: { zone: string; name: string; value: string }, signal: AbortSignal): Promise<void> {
    for (const until = performance.now() + SHOWN_MS; performance.now() < until;) {
      if ((await everyServerShows(record, signal)) !== false) return;
      try {
        await sleep(LOOK_MS, undefined, { signal });
      } catch (error) {
        throw new GatewayError('waiting for DNS was cancelled', {
          code: 'Aborted',
          retry: 'never',
          cause: error,
        });
      }
    }
  }
}
