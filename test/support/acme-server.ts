import {
  randomBytes,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  verify,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keyOfRequest, makeCertificate } from './x509.ts';

/**
 * An authority that speaks RFC 8555 on a real socket and can be told to be as unpleasant as real ones are: Pebble has no
 * rate limits, no Retry-After, loses no answers and gives no wrong certificates.
 */
export interface Behaviour {
  /** Its clock, and that of the certificates that it gives. */
  now: () => number;
  lifetimeMs: number;
  certificate: 'good' | 'other-key' | 'other-name' | 'expired' | 'not-yet' | 'broken-chain';
  /** Requests of this kind are done, but their answer never arrives; each once. */
  losesAnswersTo: Set<string>;
  staysProcessing: boolean;
  /** Refuses this kind of request. */
  refuses:
    | { readonly what: string; readonly type: string; readonly detail: string; readonly retryAfter?: string }
    | undefined;
  /** What it sees when it looks at a challenge; `undefined` as an answer: not what it should be. */
  looks: (type: string, name: string) => string | undefined;
  /** RFC 9773. */
  window: ((issuedAt: number) => { readonly start: number; readonly end: number }) | undefined;
  profiles: readonly string[];
  identities: readonly string[];
  /** As Let's Encrypt counts; a test that meets one has failed. */
  limits: { readonly failuresAnHour: number; readonly certificatesAWeek: number };
}

interface Order {
  readonly id: number;
  readonly account: string;
  readonly name: string;
  readonly identifier: { readonly type: string; readonly value: string };
  status: string;
  error?: object;
  authorization: string;
  failed?: object;
  pem?: string;
  csr?: string;
}

const URN = 'urn:ietf:params:acme:error:';
const HOUR = 3_600_000;

export class AcmeServer {
  readonly behaviour: Behaviour;
  /** Kinds of requests, in order. */
  readonly requests: string[] = [];
  readonly replaced: string[] = [];
  readonly issuedAt: number[] = [];
  /** Reasons, RFC 5280 5.3.1. */
  readonly revoked: number[] = [];
  readonly failedAt: number[] = [];
  /** How often a limit was met. */
  limited = 0;
  /** What its own HTTPS must be trusted by. */
  readonly root: string;
  readonly #server: Server;
  readonly #keys = { root: newKey(), middle: newKey(), other: newKey() };
  readonly #nonces = new Set<string>();
  readonly #accounts = new Map<string, JsonWebKey>();
  readonly #orders: Order[] = [];

  constructor(behaviour: Partial<Behaviour> = {}) {
    this.behaviour = {
      now: Date.now,
      lifetimeMs: 90 * 24 * HOUR,
      certificate: 'good',
      losesAnswersTo: new Set(),
      staysProcessing: false,
      refuses: undefined,
      looks: () => undefined,
      window: undefined,
      profiles: [],
      identities: ['acme.test'],
      limits: { failuresAnHour: 5, certificatesAWeek: 5 },
      ...behaviour,
    };
    const far = { notBefore: Date.now() - 24 * HOUR, notAfter: Date.now() + 24 * HOUR };
    const { root } = this.#keys;
    this.root = makeCertificate({
      subject: 'root',
      issuer: 'root',
      issuerKey: root,
      publicKey: createPublicKey(root),
      isAuthority: true,
      ...far,
    });
    const own = newKey();
    const cert = makeCertificate({
      subject: 'acme',
      issuer: 'root',
      issuerKey: root,
      publicKey: createPublicKey(own),
      names: ['127.0.0.1'],
      ...far,
    });
    this.#server = createServer(
      { cert, key: own.export({ type: 'pkcs8', format: 'pem' }) },
      (request, response) => {
        this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
      },
    );
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get directory(): string {
    return `${this.#base}/directory`;
  }

  get accounts(): number {
    return this.#accounts.size;
  }

  get orders(): number {
    return this.#orders.length;
  }

  #nonce(): string {
    const nonce = randomBytes(8).toString('hex');
    this.#nonces.add(nonce);
    return nonce;
  }

  get #base(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, what = '', id = '', type = ''] = (request.url ?? '').split('/');
    this.requests.push(what);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { status, body, headers = {} } = this.#handle(what, { id, type }, Buffer.concat(chunks).toString());
    if (this.behaviour.losesAnswersTo.delete(what)) {
      response.destroy();
      return;
    }
    response.statusCode = status;
    response.setHeader('replay-nonce', this.#nonce());
    for (const [key, value] of Object.entries(headers)) response.setHeader(key, value);
    response.end(
      request.method === 'HEAD' ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    );
  }

  #handle(what: string, { id, type }: { id: string; type: string }, text: string): Reply {
    const { refuses } = this.behaviour;
    if (refuses?.what === what) {
      const retry = refuses.retryAfter === undefined ? {} : { 'retry-after': refuses.retryAfter };
      return {
        ...problem(refuses.type === 'rateLimited' ? 429 : 503, refuses.type, refuses.detail),
        headers: retry,
      };
    }
    if (what === 'directory') return { status: 200, body: this.#directory() };
    if (what === 'nonce') return { status: 200, body: '' };
    if (what === 'window') return this.#window();
    const signed = this.#open(text);
    if ('status' in signed) return signed;
    const { account, payload } = signed;
    if (what === 'new-account') return this.#newAccount(signed.key);
    if (what === 'revoke') {
      this.revoked.push((payload as { reason: number }).reason);
      return { status: 200, body: '' };
    }
    if (what === 'new-order') return this.#newOrder(account, payload as NewOrder);
    const order = this.#orders[Number(id)];
    if (order === undefined) return problem(404, 'malformed', 'no such order');
    return this.#handleOrder(what, order, type, payload);
  }

  #handleOrder(what: string, order: Order, type: string, payload: object): Reply {
    if (what === 'challenge') return this.#look(order, type);
    if (what === 'finalize') return this.#finalize(order, (payload as { csr: string }).csr);
    if (what === 'authorization') return { status: 200, body: this.#authorization(order) };
    const headers = { 'content-type': 'application/pem-certificate-chain' };
    if (what === 'certificate') return { status: 200, body: order.pem ?? '', headers };
    return { status: 200, body: this.#order(this.#process(order)) };
  }

  /** RFC 8555 6.2: the signature, by the account's key, over a nonce of ours. */
  #open(text: string): Reply | { account: string; payload: object; key: JsonWebKey } {
    const jws = JSON.parse(text) as { protected: string; payload: string; signature: string };
    const head = decode(jws.protected) as { nonce: string; jwk?: JsonWebKey; kid?: string };
    if (!this.#nonces.delete(head.nonce)) return problem(400, 'badNonce', 'unknown nonce');
    const account = head.kid ?? '';
    const key = head.jwk ?? this.#accounts.get(account);
    if (key === undefined) return problem(400, 'accountDoesNotExist', 'no such account');
    const data = Buffer.from(`${jws.protected}.${jws.payload}`);
    const publicKey = createPublicKey({ key, format: 'jwk' });
    const isSigned = verify(
      'sha256',
      data,
      { key: publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(jws.signature, 'base64url'),
    );
    if (!isSigned) return problem(403, 'unauthorized', 'wrong signature');
    return { account, key, payload: jws.payload === '' ? {} : (decode(jws.payload) as object) };
  }

  #directory(): object {
    const at = (what: string): string => `${this.#base}/${what}`;
    const { window, profiles, identities } = this.behaviour;
    return {
      newNonce: at('nonce'),
      newAccount: at('new-account'),
      newOrder: at('new-order'),
      revokeCert: at('revoke'),
      ...(window === undefined ? {} : { renewalInfo: at('window') }),
      meta: {
        caaIdentities: identities,
        ...(profiles.length === 0
          ? {}
          : { profiles: Object.fromEntries(profiles.map((name) => [name, name])) }),
      },
    };
  }

  #window(): Reply {
    const { window } = this.behaviour;
    if (window === undefined) return problem(404, 'malformed', 'none');
    const { start, end } = window(this.issuedAt.at(-1) ?? 0);
    const text = (ms: number): string => new Date(ms).toISOString();
    return { status: 200, body: { suggestedWindow: { start: text(start), end: text(end) } } };
  }

  #newAccount(key: JsonWebKey): Reply {
    const url = `${this.#base}/account/${createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 8)}`;
    const status = this.#accounts.has(url) ? 200 : 201;
    this.#accounts.set(url, key);
    return { status, body: { status: 'valid' }, headers: { location: url } };
  }

  #newOrder(account: string, { identifiers, replaces }: NewOrder): Reply {
    const [identifier] = identifiers;
    if (identifier === undefined) return problem(400, 'malformed', 'no identifier');
    const { limits, now } = this.behaviour;
    const within = (times: number[], span: number): number =>
      times.filter((time) => time > now() - span).length;
    const isExempt = replaces !== undefined && this.behaviour.window !== undefined;
    const isLimited =
      within(this.failedAt, HOUR) >= limits.failuresAnHour ||
      (!isExempt && within(this.issuedAt, 7 * 24 * HOUR) >= limits.certificatesAWeek);
    if (isLimited) {
      this.limited += 1;
      return { ...problem(429, 'rateLimited', 'too many'), headers: { 'retry-after': '3600' } };
    }
    if (replaces !== undefined) this.replaced.push(replaces);
    const order: Order = {
      id: this.#orders.length,
      account,
      name: identifier.value,
      identifier,
      status: 'pending',
      authorization: 'pending',
    };
    this.#orders.push(order);
    return {
      status: 201,
      body: this.#order(order),
      headers: { location: `${this.#base}/order/${order.id}` },
    };
  }

  #order({ id, status, pem, error, identifier }: Order): object {
    return {
      status,
      identifiers: [identifier],
      authorizations: [`${this.#base}/authorization/${id}`],
      finalize: `${this.#base}/finalize/${id}`,
      ...(error === undefined ? {} : { error }),
      ...(pem === undefined ? {} : { certificate: `${this.#base}/certificate/${id}` }),
    };
  }

  #authorization({ id, identifier, authorization, failed }: Order): object {
    const types = identifier.value.startsWith('*.') ? ['dns-01'] : ['http-01', 'tls-alpn-01', 'dns-01'];
    const value = identifier.value.replace(/^\*\./, '');
    return {
      status: authorization,
      identifier: { type: identifier.type, value },
      challenges: types.map((type) => ({
        type,
        url: `${this.#base}/challenge/${id}/${type}`,
        token: `token-${id}`,
        status: authorization,
        ...(failed === undefined ? {} : { error: failed }),
      })),
    };
  }

  #look(order: Order, type: string): Reply {
    const record = `_acme-challenge.${order.name.replace(/^\*\./, '')}`;
    const seen = this.behaviour.looks(type, type === 'dns-01' ? record : order.name);
    if (seen === undefined) {
      order.authorization = 'invalid';
      order.status = 'invalid';
      order.failed = { type: `${URN}unauthorized`, detail: `${order.name} shows something else` };
      this.failedAt.push(this.behaviour.now());
    } else {
      order.authorization = 'valid';
      order.status = 'ready';
    }
    return { status: 200, body: { type, url: '', status: order.authorization, token: `token-${order.id}` } };
  }

  #finalize(order: Order, csr: string): Reply {
    order.csr = csr;
    order.status = 'processing';
    return { status: 200, body: this.#order(this.#process(order)) };
  }

  #process(order: Order): Order {
    if (order.status !== 'processing' || order.csr === undefined || this.behaviour.staysProcessing)
      return order;
    order.pem = this.#issue(order.name, keyOfRequest(Buffer.from(order.csr, 'base64url')));
    order.status = 'valid';
    this.issuedAt.push(this.behaviour.now());
    return order;
  }

  #issue(name: string, wanted: KeyObject): string {
    const { certificate, lifetimeMs, now } = this.behaviour;
    const { root, middle, other } = this.#keys;
    const shift = certificate === 'expired' ? -lifetimeMs - HOUR : certificate === 'not-yet' ? 24 * HOUR : 0;
    const begin = Math.floor((now() + shift) / 1000) * 1000;
    const leaf = makeCertificate({
      subject: name,
      issuer: 'middle',
      issuerKey: certificate === 'broken-chain' ? other : middle,
      publicKey: certificate === 'other-key' ? createPublicKey(other) : wanted,
      notBefore: begin,
      notAfter: begin + lifetimeMs,
      names: [certificate === 'other-name' ? 'other.test' : name],
    });
    const chain = makeCertificate({
      subject: 'middle',
      issuer: 'root',
      issuerKey: root,
      publicKey: createPublicKey(middle),
      notBefore: begin - 24 * HOUR,
      notAfter: begin + 2 * lifetimeMs + 48 * HOUR,
      isAuthority: true,
    });
    return `${leaf}${chain}`;
  }
}

interface NewOrder {
  readonly identifiers: readonly { readonly type: string; readonly value: string }[];
  readonly replaces?: string;
  readonly profile?: string;
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function problem(status: number, type: string, detail: string): Reply {
  return { status, body: { type: `${URN}${type}`, detail } };
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function decode(text: string): unknown {
  return JSON.parse(Buffer.from(text, 'base64url').toString());
}
