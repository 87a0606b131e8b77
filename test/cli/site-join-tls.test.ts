import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createPage, type Server } from 'node:http';
import { createServer as createTlsPage } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { joinSite } from '../../src/cli/site-join.ts';
import { messageOf } from '../../src/core/errors.ts';
import type { SiteBundle } from '../../src/core/site-bundle.ts';
import { run } from '../../src/system/run.ts';
import { makeCertificate } from '../support/x509.ts';

/** A real HAProxy, as the program starts it, before a page without TLS (the tunnel) and one with TLS (its public name). */
const DAY_MS = 86_400_000;
let directory: string;
let inside: Server;
let outside: ReturnType<typeof createTlsPage>;
let ends: AbortController;
let running: Promise<void> | undefined;
const said: string[] = [];
const notes: string[] = [];

function certificate(issuer: string, names: readonly string[]) {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const times = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS };
  const signed = { issuer, issuerKey: authority.privateKey, ...times };
  return {
    key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: makeCertificate({ subject: names[0] ?? '', publicKey: own.publicKey, names, ...signed }),
    authority: makeCertificate({
      subject: issuer,
      publicKey: authority.publicKey,
      isAuthority: true,
      ...signed,
    }),
  };
}

async function listen(server: { listen(port: number, host: string, done: () => void): unknown }) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}
const portOf = (server: { address(): AddressInfo | string | null }): number =>
  (server.address() as AddressInfo).port;

async function start(names: readonly string[]): Promise<void> {
  const { key, cert, authority } = certificate('a test', names);
  inside = createPage((_request, response) => response.end('by the tunnel'));
  outside = createTlsPage({ key, cert }, ({ headers }, response) => response.end(`to ${headers.host}`));
  await Promise.all([listen(inside), listen(outside)]);
  const bundle: SiteBundle = {
    site: 'webshop',
    services: [
      {
        name: 'shop',
        isPage: true,
        ways: [
          { kind: 'plain', provider: 'wireguard', host: '127.0.0.1', port: portOf(inside) },
          { kind: 'tls', provider: 'clearnet', host: 'localhost', port: portOf(outside) },
        ],
      },
    ],
  };
  running = joinSite({
    bundle,
    directory: join(directory, 'state'),
    torrc: '',
    authorities: authority,
    note: (text) => void notes.push(text),
    using: (_service, port, way) => void said.push(`${port} ${way}`),
    signal: ends.signal,
  });
}

const last = (): string => said.at(-1)?.split(' ')[1] ?? '';
const ask = async (): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${said[0]?.split(' ')[0]}/`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(20_000),
  });
  return response.ok ? response.text() : String(response.status);
};
const endTunnel = (): void => {
  inside.close();
  inside.closeAllConnections();
};

/** The one that reads our file. */
async function killHaproxy(): Promise<void> {
  const file = join(directory, 'state', 'haproxy.cfg');
  const { stdout } = await run(['pgrep', '-f', `haproxy.*${file}`], { signal: ends.signal });
  for (const pid of stdout.trim().split('\n')) process.kill(Number(pid), 'SIGKILL');
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-join-'));
  ends = new AbortController();
  said.length = notes.length = 0;
});
afterEach(async () => {
  ends.abort();
  await running;
  for (const server of [inside, outside]) {
    server.close();
    server.closeAllConnections();
  }
  await rm(directory, { recursive: true });
});

it('goes on by the public name, with TLS around it, and asks there for that name', async () => {
  await start(['localhost']);
  await expect.poll(last, { timeout: 10_000 }).toBe('wireguard');
  expect(await ask()).toBe('by the tunnel');
  const port = portOf(inside);
  endTunnel();
  const waiting = ask();
  await expect.poll(last, { timeout: 15_000 }).toBe('clearnet');
  expect(await waiting).toBe(`to localhost:${portOf(outside)}`);
  inside = createPage((_request, response) => response.end('by the tunnel again'));
  await new Promise<void>((resolve) => inside.listen(port, '127.0.0.1', resolve));
  await expect.poll(last, { timeout: 15_000 }).toBe('wireguard');
  expect(await ask()).toBe('by the tunnel again');
  expect(notes).toEqual([]);
  await killHaproxy();
  const asked = () => ask().catch((error: unknown) => messageOf(error));
  await expect.poll(asked, { timeout: 10_000 }).toBe('by the tunnel again');
  expect(notes.join()).toContain('HAProxy ended and is started again');
  ends.abort();
  await running;
  await expect(ask()).rejects.toThrow('fetch failed');
}, 40_000);

it('does not go where the certificate is of another name', async () => {
  await start(['somebody-else.test']);
  await expect.poll(last, { timeout: 10_000 }).toBe('wireguard');
  endTunnel();
  await expect.poll(last, { timeout: 20_000 }).toBe('null');
}, 40_000);
