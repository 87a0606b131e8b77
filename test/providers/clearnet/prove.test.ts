import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { judgeDialled, type Page } from '../../../providers/clearnet/prove.ts';
import type { DialledBack } from '../../../src/core/ports.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';
import { encodeClientHello } from '../../../src/wire/tls-hello.ts';

/** A relay that was taken over may say whatever it likes about a page; `yes` needs the key of the certificate. */
const folder = mkdtempSync(join(tmpdir(), 'gw-prove-'));
const servers: Server[] = [];
const ports = { crypto: nodeCrypto, now: () => Date.parse('2026-11-20T12:00:00Z') };
let page: Page;
let ours: number;
let foreign: number;

beforeAll(async () => {
  ours = await serve('ours');
  foreign = await serve('foreign');
  const { raw } = new X509Certificate(readFileSync(join(folder, 'ours.pem')));
  const fingerprint = createHash('sha256').update(raw).digest('hex');
  page = { domain: 'pay.shop.test', addresses: ['11.2.0.2'], fingerprint };
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

async function serve(name: string): Promise<number> {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  // Of one length, so that one can stand in the other's place.
  const kind = ['-newkey', 'rsa:2048', '-set_serial', '7', '-nodes', '-keyout', key];
  execFileSync('openssl', ['req', '-x509', ...kind, '-subj', '/CN=pay.shop.test', '-out', cert], {
    stdio: 'ignore',
  });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) });
  server.on('tlsClientError', () => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function carry(port: number, payload: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(payload));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => resolve(Uint8Array.from(Buffer.concat(chunks))));
    socket.on('error', reject);
  });
}

type Dialled = Extract<DialledBack, { status: 'dialled' }>;
const dialled = (change: Partial<Dialled>): DialledBack => ({
  status: 'dialled',
  relay: 'vps',
  from: '11.1.0.3',
  to: '11.2.0.2',
  isOtherAddress: true,
  outcome: 'answered',
  answer: new Uint8Array(),
  ...change,
});
const RANDOM = nodeCrypto.random(32);
const judge = (said: DialledBack) => judgeDialled(said, page, RANDOM, ports);
const hello = (random = RANDOM) => encodeClientHello('pay.shop.test', random);

it('is proved by our certificate and a signature over our random', async () => {
  expect(judge(dialled({ answer: await carry(ours, hello()) }))).toEqual({
    reachable: 'yes',
    vantage: 'relay',
    provedAt: '2026-11-20T12:00:00.000Z',
    detail: 'a TLS handshake with our certificate through 11.2.0.2:443, carried by the relay vps',
  });
});

it('is not proved by what was recorded in an earlier visit', async () => {
  const recorded = await carry(ours, hello(nodeCrypto.random(32)));
  expect(judge(dialled({ answer: recorded }))).toMatchObject({ reachable: 'no', vantage: 'relay' });
});

it('is not proved by our certificate in front of another key', async () => {
  const theirs = Buffer.from(await carry(foreign, hello()));
  const [mine, other] = ['ours', 'foreign'].map(
    (name) => new X509Certificate(readFileSync(join(folder, `${name}.pem`))).raw,
  );
  if (mine?.length === undefined || mine.length !== other?.length) throw new Error('of another length');
  const at = theirs.indexOf(other);
  const forged = Buffer.concat([theirs.subarray(0, at), mine, theirs.subarray(at + other.length)]);
  expect(judge(dialled({ answer: Uint8Array.from(forged) }))?.reachable).toBe('no');
});

it.each([
  ['another certificate', () => carry(foreign, hello()), "a certificate that is not this gateway's"],
  [
    'a page of the router',
    () => Promise.resolve(new TextEncoder().encode('HTTP/1.1 400 Bad Request')),
    'is not this gateway',
  ],
  ['nothing', () => Promise.resolve(new Uint8Array()), 'is not this gateway'],
  [
    'an alert',
    () => Promise.resolve(Uint8Array.of(21, 3, 3, 0, 2, 2, 112)),
    'has no certificate for pay.shop.test',
  ],
])('says no to %s, and why', async (_what, answer, why) => {
  const reach = judge(dialled({ answer: await answer() }));
  expect(reach).toMatchObject({ reachable: 'no', vantage: 'relay' });
  expect(reach?.detail).toContain(why);
});

it.each([
  [dialled({ outcome: 'refused' }), 'no', 'TCP 11.2.0.2:443 is closed, says the relay vps: forward port 443'],
  [
    dialled({ outcome: 'silent' }),
    'no',
    'TCP 11.2.0.2:443 does not answer, says the relay vps: forward port 443',
  ],
  [dialled({ to: '11.7.7.7' }), 'unknown', 'but pay.shop.test points to 11.2.0.2'],
  [{ status: 'unreachable', detail: 'it sleeps' } as const, 'unknown', 'no relay could look: it sleeps'],
])('%j is %s', (said, reachable, detail) => {
  const reach = judge(said);
  expect(reach?.reachable).toBe(reachable);
  expect(reach?.detail).toContain(detail);
});

it('says nothing where there is no relay', () => {
  expect(judge({ status: 'none' })).toBeUndefined();
});
