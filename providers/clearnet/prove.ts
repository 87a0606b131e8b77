import type { Context, Reach } from '../../src/core/contract.ts';
import { formatEndpoint } from '../../src/core/inet.ts';
import type { DialledBack, Ports } from '../../src/core/ports.ts';
import { parseTlsAnswer } from '../../src/wire/tls-answer.ts';
import { encodeClientHello } from '../../src/wire/tls-hello.ts';
import { toHex } from '../../src/wire/wireguard.ts';
import { isAddress } from '../../src/core/domain.ts';
import { HTTPS_OUTSIDE } from './spec.ts';

export interface Page {
  readonly domain: string;
  /** Public addresses that visitors are told; empty when they cannot be told. */
  readonly addresses: readonly string[];
  /** SHA-256 of the certificate that HAProxy shows, hex. */
  readonly fingerprint: string;
}

/** Packets get lost, and certificates are changed in between: one silence proves nothing. */
const TRIES = 2;
/** More than any chain of certificates. */
const ENOUGH_BYTES = 8192;
const RANDOM_BYTES = 32;

/**
 * Has a relay carry the first message of a TLS handshake to the address that it sees us at. The random in it is our nonce:
 * only who has the certificate's key can sign it, so a relay that lies can hide an open port and cannot make a closed one
 * look open. `undefined` when there is no relay.
 */
export async function prove(page: Page, context: Context): Promise<Reach | undefined> {
  let verdict: Reach | undefined;
  for (let tried = 0; tried < TRIES; tried += 1) {
    verdict = await visit(page, context);
    if (verdict?.reachable !== 'no') return verdict;
  }
  return verdict;
}

async function visit(page: Page, { ports, signal }: Context): Promise<Reach | undefined> {
  const random = ports.crypto.random(RANDOM_BYTES);
  const payload = encodeClientHello(isAddress(page.domain) ? undefined : page.domain, random);
  const dialled = await ports.vantages.dialBack(
    { protocol: 'tcp', family: 4, port: HTTPS_OUTSIDE, payload, enough: ENOUGH_BYTES },
    signal,
  );
  return judgeDialled(dialled, page, random, ports);
}

/**
 * What the relay said                            | verdict
 * -----------------------------------------------+---------------------------------------
 * there is none                                  | undefined
 * it could not be asked, or could not dial       | unknown
 * it dialled another address than visitors do    | unknown
 * our certificate's key signed our random        | yes
 * another certificate, a refusal, no TLS at all  | no (asked for twice)
 * nothing came back, or the port is closed       | no (asked for twice)
 */
export function judgeDialled(
  dialled: DialledBack,
  page: Page,
  random: Uint8Array,
  { crypto, now }: Pick<Ports, 'crypto' | 'now'>,
): Reach | undefined {
  if (dialled.status === 'none') return undefined;
  if (dialled.status === 'unreachable') return unknown('none', `no relay could look: ${dialled.detail}`);
  const { relay, to, outcome, answer } = dialled;
  const { domain, addresses, fingerprint } = page;
  const where = formatEndpoint({ host: to, port: HTTPS_OUTSIDE });
  if (!addresses.includes(to)) {
    const told = addresses.length === 0 ? 'was not found' : `points to ${addresses.join(', ')}`;
    return unknown('relay', `the relay ${relay} sees this home at ${to}, but ${domain} ${told}`);
  }
  if (outcome !== 'answered') {
    const what = outcome === 'refused' ? 'is closed' : 'does not answer';
    return no(
      `TCP ${where} ${what}, says the relay ${relay}: forward port 443 in the router to this machine`,
    );
  }
  const said = parseTlsAnswer(answer, random);
  if (said.type === 'alert') {
    return no(
      `whoever answers the relay ${relay} at ${where} has no certificate for ${domain} (${said.name})`,
    );
  }
  if (said.type !== 'certificate') {
    return no(`what answers the relay ${relay} at TCP ${where} is not this gateway: ${ELSEWHERE}`);
  }
  const isOurs = toHex(crypto.sha256(said.leaf)) === fingerprint;
  if (!isOurs || !crypto.isSignedBy(said.leaf, said)) {
    return no(
      `at ${where} the relay ${relay} is shown a certificate that is not this gateway's: ${ELSEWHERE}`,
    );
  }
  return {
    reachable: 'yes',
    vantage: 'relay',
    provedAt: new Date(now()).toISOString(),
    detail: `a TLS handshake with our certificate through ${where}, carried by the relay ${relay}`,
  };
}

const ELSEWHERE = 'the router may answer itself, or forward port 443 to another machine';

function no(detail: string): Reach {
  return { reachable: 'no', vantage: 'relay', detail };
}

function unknown(vantage: Reach['vantage'], detail: string): Reach {
  return { reachable: 'unknown', vantage, detail };
}
