import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readBundle, renderBundle } from '../../src/cli/site-bundle-file.ts';
import { choosePorts } from '../../src/cli/site-ports.ts';
import type { SiteBundle } from '../../src/core/site-bundle.ts';
import { run } from '../../src/system/run.ts';
import { renderSiteHaproxy, renderSiteTorrc } from '../../src/wire/site-haproxy.ts';
import { runCli } from '../support/cli-gateway.ts';

const ONION = `${'a'.repeat(55)}d.onion`;
const signal = AbortSignal.timeout(30_000);
const BUNDLE: SiteBundle = {
  site: 'webshop',
  services: [
    {
      name: 'shop',
      isPage: true,
      ways: [
        { kind: 'plain', provider: 'wireguard', host: '10.64.1.2', port: 80 },
        { kind: 'tls', provider: 'clearnet', host: 'pay.shop.test', port: 443 },
        { kind: 'onion', provider: 'tor', host: ONION, port: 80, key: 'A'.repeat(52) },
      ],
    },
    { name: 'lnd', isPage: false, ways: [{ kind: 'onion', provider: 'tor', host: ONION, port: 8080 }] },
  ],
};
let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-join-'));
  file = join(directory, 'webshop.site');
  await writeFile(file, renderBundle(BUNDLE), { mode: 0o600 });
});
afterEach(() => rm(directory, { recursive: true }));

it('reads a bundle as it was written', async () => {
  expect(await readBundle(file)).toEqual(BUNDLE);
});

it.each([
  ['edited', (text: string) => text.replace('10.64.1.2', '10.64.1.3'), 'its checksum is another'],
  ['cut off', (text: string) => text.slice(0, -40), 'it is no bundle'],
  ['another file', () => '# mine\n', 'it is no bundle'],
])('refuses one that is %s', async (_what, change, message) => {
  await writeFile(file, change(await readFile(file, 'utf8')));
  const { exitCode, stderr } = await runCli('site', 'join', file);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(message);
  await expect(stat(`${file}.state`)).rejects.toThrow('ENOENT');
});

it.each([
  ['a name', { name: 'shop\n    server x 192.0.2.1:1' }],
  ['a host', { ways: [{ kind: 'plain', provider: 'wireguard', host: '10.64.1.2:80 check', port: 80 }] }],
  ['a key', { ways: [{ kind: 'onion', provider: 'tor', host: ONION, port: 80, key: '../x' }] }],
])('refuses %s that would become lines of a configuration', async (_what, change) => {
  const [shop] = BUNDLE.services;
  await writeFile(file, renderBundle({ ...BUNDLE, services: [{ ...shop, ...change }] } as SiteBundle));
  await expect(readBundle(file)).rejects.toMatchObject({ code: 'StateCorrupt' });
});

it('refuses one that others may read', async () => {
  await chmod(file, 0o640);
  const { exitCode, stderr } = await runCli('site', 'join', file);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('others may read it (mode 0640)');
  expect(stderr).toContain(`chmod 600 ${file}`);
});

it('keeps a port once it was chosen, also when another service comes before it', async () => {
  const kept = join(directory, 'ports.json');
  const [shop, lnd] = BUNDLE.services;
  if (shop === undefined || lnd === undefined) throw new Error('no services');
  const first = await choosePorts(kept, { site: 'webshop', services: [lnd] }, signal);
  const then = await choosePorts(kept, BUNDLE, signal);
  expect(then.services['lnd']).toBe(first.services['lnd']);
  expect(then.socks).toBe(first.socks);
  expect(new Set([...Object.values(then.services), then.socks]).size).toBe(3);
});

it('says whose port another program took', async () => {
  const kept = join(directory, 'ports.json');
  const { services } = await choosePorts(kept, BUNDLE, signal);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(services['shop'], '127.0.0.1', resolve));
  try {
    await expect(choosePorts(kept, BUNDLE, signal)).rejects.toMatchObject({
      code: 'PortInUse',
      message: `port ${services['shop']} of 127.0.0.1, which shop has here, is taken by another program`,
    });
  } finally {
    other.close();
  }
});

it.each([true, false])('writes what HAProxy and tor take; with a resolver: %s', async (hasResolver) => {
  const place = {
    sockets: directory,
    ports: { shop: 17_080, lnd: 17_081 },
    socksPort: 17_082,
    authorities: '@system-ca',
    hasResolver,
  };
  const config = join(directory, 'haproxy.cfg');
  await writeFile(config, renderSiteHaproxy(BUNDLE, place));
  await run(['haproxy', '-c', '-f', config], { signal });
  await mkdir(join(directory, 'keys'), { mode: 0o700 });
  const torrc = join(directory, 'torrc');
  await writeFile(torrc, renderSiteTorrc(BUNDLE, directory, 17_082, ''));
  const { stdout } = await run(['tor', '-f', torrc, '--defaults-torrc', '/dev/null', '--verify-config'], {
    signal,
  });
  expect(stdout).toContain('Configuration was valid');
  expect(stdout).not.toMatch(/\[warn\] (?!You are running Tor as root)/);
});
