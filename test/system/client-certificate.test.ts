import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorityCertificate, clientCertificate } from '../../src/system/client-certificate/authority.ts';
import { pkcs12, randomPassword } from '../../src/system/client-certificate/pkcs12.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { run } from '../../src/system/run.ts';

/** What the gateway makes, read by OpenSSL's own programs. */
const NOW = Date.now();
const secret = nodeCrypto.p256Secret();
const authority = authorityCertificate(secret, NOW);
const issued = clientCertificate('phone', secret, NOW);
let directory: string;

const openssl = async (...argv: readonly string[]): Promise<string> =>
  (await run(['openssl', ...argv], { signal: AbortSignal.timeout(10_000) })).stdout;
const put = async (name: string, content: string | Uint8Array): Promise<string> => {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-pkcs12-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('the certificate of a device', () => {
  it('is one of the authority, for a client, and says the name alone', async () => {
    const ca = await put('ca.pem', authority);
    const leaf = await put('leaf.pem', new X509Certificate(issued.certificate).toString());
    expect(await openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', ca, leaf)).toMatch(
      /: OK$/m,
    );
    const text = await openssl('x509', '-in', leaf, '-noout', '-text');
    expect(text).toMatch(/Subject: CN = phone\n/);
    expect(text).toMatch(/Issuer: CN = Gateway [0-9a-f]{8}: devices\n/);
    expect(text).not.toMatch(/Subject Alternative Name/);
    const { fingerprint256 } = new X509Certificate(issued.certificate);
    expect(issued.fingerprint).toBe(fingerprint256.replaceAll(':', '').toLowerCase());
  });

  it('belongs to its own gateway, whenever the certificate of the authority was made', async () => {
    const later = await put('later.pem', authorityCertificate(secret, NOW + 3_600_000));
    const other = await put('other.pem', authorityCertificate(nodeCrypto.p256Secret(), NOW));
    const leaf = await put('leaf.pem', new X509Certificate(issued.certificate).toString());
    expect(await openssl('verify', '-CAfile', later, leaf)).toMatch(/: OK$/m);
    await expect(openssl('verify', '-CAfile', other, leaf)).rejects.toThrow(/unable to get local issuer/);
  });
});

describe('the file that a device installs', () => {
  it('is read by OpenSSL and Node with its password, and by nobody without', async () => {
    const password = randomPassword();
    const file = pkcs12('phone', issued, password);
    const path = await put('phone.p12', file);
    const argv = ['pkcs12', '-in', path, '-nodes'] as const;
    const text = await openssl(...argv, '-passin', `pass:${password}`);
    expect(text).toMatch(/friendlyName: phone/);
    const found = /-----BEGIN CERTIFICATE[^]*END CERTIFICATE-----/.exec(text)?.[0] ?? '';
    expect(new X509Certificate(found).raw.equals(issued.certificate)).toBe(true);
    expect(text).toContain(issued.key.export({ type: 'pkcs8', format: 'pem' }).toString().trim());
    expect(() => createSecureContext({ pfx: Buffer.from(file), passphrase: password })).not.toThrow();
    await expect(openssl(...argv, '-passin', 'pass:wrong')).rejects.toThrow(/invalid password|mac verify/i);
  });

  it('has a password that can be typed, another one each time', () => {
    const passwords = Array.from({ length: 200 }, randomPassword);
    expect(new Set(passwords).size).toBe(200);
    for (const password of passwords) expect(password).toMatch(/^[a-hjkmnp-z2-9]{12}$/);
  });
});
