import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { parseTlsAnswer } from '../../src/wire/tls-answer.ts';
import { encodeClientHello } from '../../src/wire/tls-hello.ts';

/** Against OpenSSL's own server, as HAProxy has it, with the kinds of keys that certificates have. */
const folder = mkdtempSync(join(tmpdir(), 'gw-tls-'));
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

const KEYS = {
  ecdsa: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'ecdsa-384': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  rsa: ['-newkey', 'rsa:2048'],
} as const;

async function serve(kind: keyof typeof KEYS): Promise<{ port: number; certificate: X509Certificate }> {
  const [key, cert] = [join(folder, `${kind}.key`), join(folder, `${kind}.pem`)];
  const subject = ['-subj', '/CN=pay.shop.test', '-days', '2', '-nodes', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', ...KEYS[kind], ...subject], { stdio: 'ignore' });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) });
  server.on('tlsClientError', () => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, certificate: new X509Certificate(readFileSync(cert)) };
}

/** All that comes back until the far end is done, as a relay carries it. */
function carry(port: number, payload: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(payload));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => resolve(Uint8Array.from(Buffer.concat(chunks))));
    socket.on('error', reject);
  });
}

describe.each(Object.keys(KEYS) as (keyof typeof KEYS)[])('a server with a key of kind %s', (kind) => {
  it('proves that it has the key, for this random and no other', async () => {
    const { port, certificate } = await serve(kind);
    const random = nodeCrypto.random(32);
    const bytes = await carry(port, encodeClientHello('pay.shop.test', random));
    const answer = parseTlsAnswer(bytes, random);
    if (answer.type !== 'certificate') throw new Error(answer.type);
    const { leaf } = answer;
    expect(Buffer.from(nodeCrypto.sha256(leaf))).toEqual(
      createHash('sha256').update(certificate.raw).digest(),
    );
    expect(nodeCrypto.isSignedBy(leaf, answer)).toBe(true);
    // What was recorded in an earlier visit does not fit a later one.
    const later = parseTlsAnswer(bytes, nodeCrypto.random(32));
    expect(later.type === 'certificate' && nodeCrypto.isSignedBy(later.leaf, later)).toBe(false);
  });
});

it('believes nothing that was cut, changed or is no TLS', async () => {
  const { port } = await serve('ecdsa');
  const random = nodeCrypto.random(32);
  const bytes = await carry(port, encodeClientHello('pay.shop.test', random));
  const isProved = (data: Uint8Array): boolean => {
    const answer = parseTlsAnswer(data, random);
    return answer.type === 'certificate' && nodeCrypto.isSignedBy(answer.leaf, answer);
  };
  expect(isProved(bytes)).toBe(true);
  const { leaf } = parseTlsAnswer(bytes, random) as { leaf: Uint8Array };
  const end = Buffer.from(bytes).indexOf(leaf) + leaf.length;
  for (let length = 0; length < end; length += 7) expect(isProved(bytes.subarray(0, length))).toBe(false);
  for (let at = 0; at < bytes.length; at += 11) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    // Must not throw; whether this byte counts is the signature's to say.
    isProved(changed);
  }
  expect(parseTlsAnswer(new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n'), random).type).toBe(
    'foreign',
  );
  expect(parseTlsAnswer(new Uint8Array(), random).type).toBe('foreign');
});
