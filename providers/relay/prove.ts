import type { Context, Reach } from '../../src/core/contract.ts';
import type { RelayVisited } from '../../src/core/carrier.ts';
import { formatEndpoint } from '../../src/core/inet.ts';
import type { Ports } from '../../src/core/ports.ts';
import { parseTlsAnswer } from '../../src/wire/tls-answer.ts';
import { encodeClientHello } from '../../src/wire/tls-hello.ts';
import { toHex } from '../../src/wire/wireguard.ts';

export interface Page {
  readonly domain: string;
  readonly relay: string;
  /** Public address of the relay. */
  readonly address: string;
  readonly port: number;
  /** SHA-256 of the certificate that HAProxy shows, hex. */
  readonly fingerprint: string;
  /** Visitors who look the name up come to the relay. */
  readonly isNameRight: boolean;
}

/** Packets get lost, and certificates are changed in between: one silence proves nothing. */
const TRIES = 2;
/** More than any chain of certificates. */
const ENOUGH_BYTES = 8192;
const RANDOM_BYTES = 32;

/**
 * Two kinds of visitors: this machine, by its own line to the relay's public address, and strangers on Tor, whom the relay
 * cannot tell from others. The second notice a relay that shows strangers another certificate than home.
 *
 *   this machine | strangers | said
 *   -------------+-----------+---------------------------
 *   any          | yes, no   | what the strangers found
 *   yes, no      | unknown   | what this machine found
 */
export async function provePage(page: Page, context: Context): Promise<Reach> {
  const [own, strangers] = await Promise.all([visitTwice(page, context), proveByExits(page, context)]);
  return strangers.reachable === 'unknown' ? own : strangers;
}

async function visitTwice(page: Page, context: Context): Promise<Reach> {
  let verdict = await visit(page, context);
  for (let tried = 1; tried < TRIES && verdict.reachable === 'no'; tried += 1) {
    verdict = await visit(page, context);
  }
  return verdict;
}

/** The random is our nonce: only who has the certificate's key can sign it, which the relay has not. */
async function visit(page: Page, { ports, signal }: Context): Promise<Reach> {
  const random = ports.crypto.random(RANDOM_BYTES);
  const payload = encodeClientHello(page.domain, random);
  const { address, port } = page;
  const visited = await ports.carrier.visit(
    { transport: 'tcp', address, port, payload, enough: ENOUGH_BYTES },
    signal,
  );
  return judgeVisit(visited, page, random, ports);
}

/**
 * What came of it                               | verdict
 * ----------------------------------------------+---------------------------------------
 * it could not be tried                         | unknown
 * our certificate's key signed our random       | yes
 * another certificate, a refusal, no TLS at all | no (asked for twice)
 * nothing came back, or the port is closed      | no (asked for twice)
 */
export function judgeVisit(
  { outcome, answer }: RelayVisited,
  page: Page,
  random: Uint8Array,
  { crypto, now }: Pick<Ports, 'crypto' | 'now'>,
): Reach {
  const { domain, relay, address, port, fingerprint } = page;
  const where = formatEndpoint({ host: address, port });
  if (outcome === 'failed') return unknown(`the relay ${relay} could not be visited at ${where} from here`);
  if (outcome !== 'answered') {
    const what = outcome === 'refused' ? 'is closed' : 'does not answer';
    return no(
      `TCP ${where} of the relay ${relay} ${what}: its firewall, or its hosting company, may not let it in`,
    );
  }
  const said = parseTlsAnswer(answer, random);
  if (said.type === 'alert') return no(`the relay ${relay} refuses visitors of ${domain} (${said.name})`);
  if (said.type !== 'certificate') return no(`the relay ${relay} does not bring visitors of ${domain} here`);
  const isOurs = toHex(crypto.sha256(said.leaf)) === fingerprint;
  if (!isOurs || !crypto.isSignedBy(said.leaf, said)) {
    return no(`visitors of ${domain} are shown a certificate at ${where} that is not this gateway's`);
  }
  const provedAt = new Date(now()).toISOString();
  const detail = `a TLS handshake with our certificate through ${where}, the relay ${relay} and its tunnel`;
  return { reachable: 'yes', vantage: 'relay', provedAt, detail };
}

/** Strangers who go where the name leads. It stands in public lists of certificates: they learn nothing that is hidden. */
async function proveByExits(page: Page, { ports, signal }: Context): Promise<Reach> {
  const { domain, port, address, fingerprint, isNameRight } = page;
  // Exits remember for minutes that a name leads nowhere.
  const host = isNameRight ? domain : address;
  const probe = { host, port, servername: domain, fingerprints: [fingerprint] };
  const { reachable, detail } = await ports.exits.probeTls(probe, signal);
  if (reachable === 'unknown') return unknown(detail);
  if (reachable === 'no') return { reachable, vantage: 'tor', detail: `at ${host} ${detail}` };
  const provedAt = new Date(ports.now()).toISOString();
  return { reachable, vantage: 'tor', provedAt, detail: `${domain} showed our certificate, ${detail}` };
}

function no(detail: string): Reach {
  return { reachable: 'no', vantage: 'relay', detail };
}

function unknown(detail: string): Reach {
  return { reachable: 'unknown', vantage: 'none', detail };
}
