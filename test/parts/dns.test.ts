import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clearnet } from '../../providers/clearnet/index.ts';
import { dialOf } from '../../providers/wireguard/endpoint.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { parseConfig } from '../../src/core/config.ts';
import type { Context, Part } from '../../src/core/contract.ts';
import { compileDesired } from '../../src/core/desired.ts';
import type { HomeAddress } from '../../src/core/home.ts';
import { noticesOf } from '../../src/engine/notices.ts';
import { pass, type PassReport } from '../../src/engine/reconciler.ts';
import { dnsPart } from '../../src/parts/dns/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { Names } from '../../src/system/dns/names.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { memoryMapper } from '../support/memory-mapper.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';

/** The host of the name is a program that writes down what it is told, and says what its file says. */
const NETWORK = networkFor('gw', '10.64.0.0/20');
const part = dnsPart as Part;
let directory: string;
let names: Names;
let nowMs: number;
let seen: HomeAddress[];

const at = (address: string, source: HomeAddress['source'] = 'stun'): HomeAddress[] => [
  { family: 4, address, source },
];
const config = (more = ''): string =>
  `dns: { home: home.example.net, ${more} zones: { example.net: { host: command, command: ${directory}/host } } }`;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-names-'));
  nowMs = Date.parse('2026-11-20T00:00:00Z');
  seen = at('11.2.0.2');
  await writeFile(join(directory, 'answer'), 'exit 0');
  await writeFile(join(directory, 'host'), `#!/bin/sh\ncat >> ${directory}/told\n. ${directory}/answer\n`);
  await chmod(join(directory, 'host'), 0o755);
  restart();
});
afterEach(() => rm(directory, { recursive: true }));

function restart(): void {
  names = new Names({ path: join(directory, 'names.json'), now: () => nowMs, log: () => undefined });
}

async function up(text = config()): Promise<PassReport> {
  const { config: parsed, problems } = parseConfig(text, [clearnet]);
  if (parsed === undefined) throw new Error(JSON.stringify(problems));
  const desired = compileDesired({
    config: parsed,
    devices: [],
    ledger: {},
    parts: [part],
    providers: [clearnet],
    network: NETWORK,
  });
  const keys = createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto });
  const ports = unavailablePorts({
    keys,
    crypto: nodeCrypto,
    now: () => nowMs,
    home: { addresses: () => seen, cameIn: () => undefined },
    names,
  });
  const context: Context = { network: NETWORK, ports, signal: AbortSignal.timeout(10_000) };
  const watcher = { applying: () => undefined, applied: () => undefined, failed: () => undefined };
  return pass([part], desired.resources, context, watcher);
}

/** Addresses that the host was told, in order; empty ones are names taken away. */
async function told(name = 'home.example.net', type = 'A'): Promise<string[]> {
  const text = await readFile(join(directory, 'told'), 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    const { sets } = JSON.parse(line) as { sets: { name: string; type: string; values: string[] }[] };
    return sets.filter((set) => set.name === name && set.type === type).map(({ values }) => values.join());
  });
}

describe('a name that follows the home', () => {
  it('is pointed at the address once, also after a restart, and moved when that changes', async () => {
    await up();
    await up();
    restart();
    expect((await up()).changes).toEqual([]);
    expect(await told()).toEqual(['11.2.0.2']);
    seen = at('11.2.0.99');
    const { changes } = await up();
    expect(changes.map(({ change }) => change.op === 'update' && change.why)).toEqual([
      'the public address is 11.2.0.99',
    ]);
    expect(await told()).toEqual(['11.2.0.2', '11.2.0.99']);
  });

  it('is left as it is while no address is known, or only one that nobody outside can reach', async () => {
    seen = [];
    await up();
    seen = at('100.64.7.7', 'router');
    await up();
    expect(await told()).toEqual([]);
    seen = at('11.2.0.2', 'relay');
    await up();
    seen = [];
    await up();
    expect(await told()).toEqual(['11.2.0.2']);
  });

  it('is not moved by a relay that lies, and says why it stays', async () => {
    seen = [...at('11.2.0.2', 'router'), ...at('11.2.0.2', 'relay')];
    await up();
    seen = [...at('11.2.0.2', 'router'), ...at('11.66.6.6', 'relay')];
    const { world } = await up();
    expect(await told()).toEqual(['11.2.0.2']);
    expect(noticesOf(world)).toEqual([
      expect.stringContaining(
        'home.example.net stays at 11.2.0.2: who sees the home tells different addresses: 11.2.0.2 (router), 11.66.6.6 (relay)',
      ),
    ]);
    seen = [...at('11.2.0.9', 'router'), ...at('11.2.0.9', 'stun'), ...at('11.66.6.6', 'relay')];
    await up();
    expect(await told()).toEqual(['11.2.0.2', '11.2.0.9']);
  });

  it('takes every name below it along, where that is asked for', async () => {
    await up(config('wildcard: true,'));
    expect(await told('*.home.example.net')).toEqual(['11.2.0.2']);
  });

  it('gets an IPv6 address when a visit came in by it, keeps it over a restart, and loses it when none does', async () => {
    const own = { family: 6, address: '2b00:1:1::10', source: 'interface' } as const;
    seen = [...at('11.2.0.2'), own];
    await up(config('wildcard: true,'));
    expect(await told('home.example.net', 'AAAA')).toEqual(['']);
    seen = [...at('11.2.0.2'), { ...own, cameIn: true }];
    await up(config('wildcard: true,'));
    expect(await told('*.home.example.net', 'AAAA')).toEqual(['', '']);
    seen = [...at('11.2.0.2'), own];
    restart();
    await up(config('wildcard: true,'));
    expect(await told('home.example.net', 'AAAA')).toEqual(['', '2b00:1:1::10']);
    seen = [...at('11.2.0.2'), { ...own, cameIn: false }];
    await up(config('wildcard: true,'));
    expect(await told('home.example.net', 'AAAA')).toEqual(['', '2b00:1:1::10', '']);
  });

  it('is taken away when it leaves the file', async () => {
    await up();
    await up('dns: {}');
    expect(await told()).toEqual(['11.2.0.2', '']);
    expect((await up('dns: {}')).changes).toEqual([]);
  });
});

describe('names of pages', () => {
  const page = (name: string, domain: string): string =>
    `${name}: { port: 80, kind: http, expose: { clearnet: { domain: ${domain} } } }`;
  const pages = (dns: string, ...more: string[]): string => `${dns}\nservices: { ${more.join(', ')} }`;
  const ZONES = () => `zones: { example.net: { host: command, command: ${directory}/host } }`;

  it('follow the home where a zone of ours holds them, each once, and go with the last page', async () => {
    const dns = `dns: { ${ZONES()} }`;
    await up(pages(dns, page('shop', 'pay.example.net'), page('wiki', 'wiki.elsewhere.net')));
    expect(await told('pay.example.net')).toEqual(['11.2.0.2']);
    expect(await told('wiki.elsewhere.net')).toEqual([]);
    seen = at('11.2.0.9');
    await up(pages(dns, page('shop', 'pay.example.net')));
    await up(pages(dns));
    expect(await told('pay.example.net')).toEqual(['11.2.0.2', '11.2.0.9', '']);
  });

  it('are not set again where the home or everything below it has them', async () => {
    const text = pages(
      config('wildcard: true,'),
      page('shop', 'shop.home.example.net'),
      page('wiki', 'home.example.net'),
    );
    const { changes } = await up(text);
    expect(changes.map(({ change }) => change.op === 'create' && change.want)).toMatchObject([
      { key: 'name:home.example.net', neededBy: ['shop', 'wiki'], spec: { wildcard: true } },
    ]);
    expect(await told('shop.home.example.net')).toEqual([]);
  });

  it('are not what devices are told to dial', async () => {
    await up(pages(`dns: { ${ZONES()} }`, page('shop', 'pay.example.net')));
    const home = { addresses: () => at('11.2.0.2', 'router'), cameIn: () => undefined };
    const mapper = memoryMapper();
    await mapper.keep({ transport: 'udp', port: 51820, externalPort: 51820 }, AbortSignal.timeout(1000));
    const { endpoint } = await dialOf({ endpoint: 'auto', listenPort: 51820 }, { mapper, names, home });
    expect(endpoint).not.toContain('pay.example.net');
  });
});

it('a host that does not answer keeps nobody from removing a name', async () => {
  await up();
  await writeFile(join(directory, 'answer'), 'exit 75');
  expect((await up('dns: {}')).failed).toEqual([]);
  expect((await up('dns: {}')).changes).toEqual([]);
});

describe('a host that says no', () => {
  it('is not asked again before something changes, and what it said is told', async () => {
    await writeFile(join(directory, 'answer'), 'echo "wrong password" >&2; exit 1');
    expect((await up()).failed.map(({ error }) => error.code)).toEqual(['NameRefused']);
    nowMs += 86_400_000;
    restart();
    expect((await up()).changes).toEqual([]);
    expect(await told()).toEqual(['11.2.0.2']);
    expect(names.troubles()).toEqual([expect.stringContaining('wrong password') as string]);
  });

  it('is asked again when the owner did something, and for another address', async () => {
    await writeFile(join(directory, 'answer'), 'exit 1');
    await up();
    await names.forgetTroubles();
    await up();
    expect(await told()).toEqual(['11.2.0.2', '11.2.0.2']);
    seen = at('11.2.0.99');
    await writeFile(join(directory, 'answer'), 'exit 0');
    expect((await up()).failed).toEqual([]);
    expect(names.troubles()).toEqual([]);
  });

  it('is asked again after five minutes when it said: later', async () => {
    await writeFile(join(directory, 'answer'), 'exit 75');
    expect((await up()).failed.map(({ error }) => error.code)).toEqual(['NameNotChanged']);
    nowMs += 299_000;
    expect((await up()).changes).toEqual([]);
    nowMs += 2000;
    await writeFile(join(directory, 'answer'), 'exit 0');
    expect((await up()).failed).toEqual([]);
    expect(await told()).toEqual(['11.2.0.2', '11.2.0.2']);
  });
});

it('a damaged memory is told, and the name is published again', async () => {
  await up();
  await writeFile(join(directory, 'names.json'), '{"names":[{"na');
  restart();
  await up();
  expect(await told()).toEqual(['11.2.0.2', '11.2.0.2']);
});

describe('gateway.yaml', () => {
  it.each([
    ['dns: { home: home.example.net }', 'dns.home must be in one of `zones`'],
    ['dns: { home: "home" }', 'whole DNS name'],
    ['dns: { zones: { example.net: { host: desec } } }', 'credential'],
    ['dns: { zones: { example.net: { host: duckdns, credential: token } } }', 'absolute path'],
    ['dns: { zones: { example.net: { host: godaddy, credential: /x } } }', 'host'],
    [
      'dns: { zones: { example.net: { host: desec, credential: /x, server: "http://desec.io" } } }',
      'https://',
    ],
  ])('%s is refused', (text, said) => {
    const { problems } = parseConfig(text, []);
    expect(problems?.map(({ path, message }) => `${path} ${message}`).join()).toContain(said);
  });
});
