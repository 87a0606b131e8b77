import type { Context, Reach } from '../../src/core/contract.ts';
import { formatEndpoint, isPublicUnicast } from '../../src/core/inet.ts';

export interface CarriedPort {
  readonly port: number;
  readonly relay: string;
  /** Public address of the relay. */
  readonly address: string;
  /** Of the tunnel. */
  readonly number: number;
}

/**
 * Bytes behind a bare port sign nothing. What a visit leaves is a connection that came out of the tunnel: this machine
 * connects to the relay by its own line, and then one more came in from where the internet sees this home.
 *
 *   the relay's port | came out of the tunnel | verdict
 *   -----------------+------------------------+---------------------------------------------
 *   could not try    | –                      | unknown
 *   closed, silent   | –                      | no
 *   open             | one more               | yes
 *   open             | none                   | unknown: our own address may be another one
 */
export async function provePort(carried: CarriedPort, context: Context): Promise<Reach> {
  const { ports, signal } = context;
  const { port, relay, address } = carried;
  const where = formatEndpoint({ host: address, port });
  const before = await visitsOf(carried, context);
  const { outcome } = await ports.carrier.visit(
    { transport: 'tcp', address, port, payload: new Uint8Array(), enough: 0 },
    signal,
  );
  if (outcome === 'failed') return unknown(`the relay ${relay} could not be visited at ${where} from here`);
  if (outcome !== 'answered') {
    const what = outcome === 'refused' ? 'is closed' : 'does not answer';
    const detail = `TCP ${where} of the relay ${relay} ${what}: its firewall, or its hosting company, may not let it in`;
    return { reachable: 'no', vantage: 'relay', detail };
  }
  const after = await visitsOf(carried, context);
  if (![...after].some((visit) => !before.has(visit))) {
    return unknown(`a visit to ${where} was taken there, and was not seen to come in here`);
  }
  const provedAt = new Date(ports.now()).toISOString();
  const detail = `a connection to ${where} came in by the relay ${relay} and its tunnel`;
  return { reachable: 'yes', vantage: 'relay', provedAt, detail };
}

/** `address:port` of this home, as they came out of the tunnel. */
async function visitsOf(
  { port, number }: CarriedPort,
  { network, ports, signal }: Context,
): Promise<ReadonlySet<string>> {
  const known = ports.home.addresses().map(({ address }) => address);
  const own = [...new Set(known)].filter((address) => isPublicUnicast(address)).slice(0, 8);
  const seen = await Promise.all(
    own.map(async (source) => {
      const found = await ports.helper.call('tunnel.visitors', { network, number, port, source }, signal);
      return found.ports.map((from) => `${source}:${from}`);
    }),
  );
  return new Set(seen.flat());
}

function unknown(detail: string): Reach {
  return { reachable: 'unknown', vantage: 'none', detail };
}
