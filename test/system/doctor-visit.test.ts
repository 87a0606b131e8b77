import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { visitByTor } from '../../src/system/doctor/visit.ts';
import { SocksServer } from '../support/socks-server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { makeCertificate } from '../support/x509.ts';

/** Visits through a proxy that is as tor's; through tor itself they go in test/lab/leaks.test.ts. */
const ONION = `${'a'.repeat(56)}.onion`;
const signal = AbortSignal.timeout(10_000);
const folder = temporaryFolder();
const directories = { config: folder, state: folder, run: folder };
mkdirSync(join(folder, 'tor-only'));

async function proxyTo(port: number): Promise<SocksServer> {
  const proxy = await SocksServer.start(join(folder, 'tor-only', 'socks.sock'), () => port);
  onTestFinished(() => proxy.stop());
  return proxy;
}

it('looks at the certificate of a program that is no page, and trusts none', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const cert = makeCertificate({
    subject: 'lnd',
    issuer: 'lnd',
    issuerKey: privateKey,
    publicKey,
    notBefore: now - 1000,
    notAfter: now + 3_600_000,
    names: ['umbrel.home.example'],
  });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const server = createTlsServer({ key, cert }, (socket: TLSSocket) => void socket.end('what?\n'));
  server.listen(0, 'localhost');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const proxy = await proxyTo((server.address() as AddressInfo).port);
  const visit = { by: 'tor-only', host: ONION, port: 10_009, isTls: true, path: '/' } as const;
  const visited = await visitByTor(directories, visit, signal);
  expect(visited).toMatchObject({ page: undefined, hasTor: true });
  expect(visited.certificate?.names).toEqual(['umbrel.home.example', 'lnd']);
  expect(visited.certificate?.fingerprint).toMatch(/^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  expect(proxy.asked).toEqual([`${ONION}:10009`]);
});

it('ends with a page that does not end', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 200 OK\r\nServer: a\r\nX-Powered-By: b\r\n\r\n');
    const pour = (): void => void (socket.writable && socket.write('x'.repeat(65_536), pour));
    pour();
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  await proxyTo((server.address() as AddressInfo).port);
  const visit = { by: 'tor-only', host: ONION, port: 80, isTls: false, path: '/' } as const;
  const { page } = await visitByTor(directories, visit, signal);
  expect(page?.headers).toEqual([
    ['server', 'a'],
    ['x-powered-by', 'b'],
  ]);
  expect(page?.body.length).toBe(256 * 1024);
});

it('says that there is no such tor', async () => {
  const visit = { by: 'tor', host: '11.2.0.2', port: 80, isTls: false, path: '/' } as const;
  expect(await visitByTor(directories, visit, signal)).toMatchObject({ page: undefined, hasTor: false });
});
