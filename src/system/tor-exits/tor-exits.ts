import { GatewayError } from '../../core/errors.ts';
import type { Exits, ExitsReport, ExitTarget, TcpProbe, TlsProbe } from '../../core/exits.ts';
import { ExitWatch } from './exit-watch.ts';
import { tcpExchange, tlsExchange, type Exchange } from './exchange.ts';
import { visitByExits, visitOnce, type RoundOptions } from './round.ts';

export interface TorExitsOptions {
  /** Of a tor that no `tor-only` service uses: whoever is probed here is known to be this home. */
  readonly controlSocket: string;
  readonly socksSocket: string;
  readonly now: () => number;
}

/** So long after two exits proved it, one is enough to say that it is still so. */
const RECENT_MS = 30 * 60_000;

/** Exits of the Tor network, which a tor of ours leads to. */
export class TorExits implements Exits {
  readonly #options: TorExitsOptions;
  /** When two exits last proved a target. */
  readonly #proved = new Map<string, number>();

  constructor(options: TorExitsOptions) {
    this.#options = options;
  }

  probeTcp(probe: TcpProbe, signal: AbortSignal): Promise<ExitsReport> {
    return this.#probe(probe, '', tcpExchange(probe), signal);
  }

  probeTls(probe: TlsProbe, signal: AbortSignal): Promise<ExitsReport> {
    return this.#probe(probe, probe.servername, tlsExchange(probe), signal);
  }

  async #probe(
    target: ExitTarget,
    name: string,
    exchange: Exchange,
    signal: AbortSignal,
  ): Promise<ExitsReport> {
    const { controlSocket, socksSocket, now } = this.#options;
    const key = [target.host, target.port, name].join(' ');
    let watch: ExitWatch | undefined;
    try {
      watch = await ExitWatch.open(controlSocket);
      const options = { socksSocket, target, exchange, watch, isTried: false };
      const isRecent = now() - (this.#proved.get(key) ?? -Infinity) < RECENT_MS;
      const again = isRecent ? await visitAgain(options, signal) : undefined;
      if (again !== undefined) return again;
      const report = await visitByBoth(options, signal);
      if (report.reachable === 'yes') this.#proved.set(key, now());
      else this.#proved.delete(key);
      return report;
    } catch (error) {
      if (signal.aborted) throw aborted(signal);
      if (!(error instanceof GatewayError)) throw error;
      return { reachable: 'unknown', detail: `no Tor exit could be asked: ${error.message}`, visits: [] };
    } finally {
      watch?.close();
    }
  }
}

async function visitAgain(options: RoundOptions, signal: AbortSignal): Promise<ExitsReport | undefined> {
  const visit = await visitOnce(options, new Set(), signal);
  signal.throwIfAborted();
  if (visit?.outcome !== 'carried') return undefined;
  return { reachable: 'yes', detail: 'carried by a Tor exit, and by two before', visits: [visit] };
}

/** Nobody else is connected to while all is well. */
async function visitByBoth(options: RoundOptions, signal: AbortSignal): Promise<ExitsReport> {
  const first = await visitByExits(options, signal);
  return first.reachable === 'yes' ? first : visitByExits({ ...options, isTried: true }, signal);
}

function aborted(signal: AbortSignal): GatewayError {
  return new GatewayError('Tor exits were not waited for', {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}
