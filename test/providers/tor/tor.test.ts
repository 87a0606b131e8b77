import { describe, expect, it } from 'vitest';
import { NOTHING_UPLOADED } from '../../../src/core/descriptor.ts';
import { tor } from '../../../providers/tor/index.ts';
import type { Options, Spec } from '../../../providers/tor/spec.ts';
import { networkFor } from '../../../src/core/allocate.ts';
import type { Context, Exposure, Fact, Observed } from '../../../src/core/contract.ts';
import { GatewayError, type ErrorCode } from '../../../src/core/errors.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { TorPort } from '../../../src/core/ports.ts';
import type { Service } from '../../../src/core/service.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../../src/system/keys.ts';
import { unavailablePorts } from '../../support/unavailable-ports.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const KEYS = createKeys({ directory: '/nonexistent', registry: memoryRegistry(), crypto: nodeCrypto });
const HOSTNAME = '2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion';

const service = (name: string, change: Partial<Service> = {}): Service => ({
  name,
  kind: 'http',
  privacy: 'open',
  port: 8080,
  place: { type: 'namespace', name },
  address: '10.64.1.2',
  dial: { host: '10.64.1.2', port: 8080 },
  ...change,
});
const exposed = (name: string, change: Partial<Service> = {}): Exposure<Options> => ({
  service: service(name, change),
  options: { anonymity: 'full', proofOfWork: 'on' },
});
const compile = (...exposures: Exposure<Options>[]) =>
  tor.compile({
    network: NETWORK,
    services: exposures.map((exposure) => exposure.service),
    exposures,
    devices: [],
    wants: [],
    ledger: {},
    settings: {},
  });

const target = { host: '10.64.1.2', port: 8080 };
const onion = (facts: Record<string, Fact> = {}): Observed<Spec> => ({
  key: 'onion:shop',
  spec: { type: 'onion', instance: 'tor', service: 'shop', virtualPort: 80, target, proofOfWork: true },
  facts: { address: HOSTNAME, uploaded: 'unknown', ...facts },
});
const process = (facts: Record<string, Fact>): Observed<Spec> => ({
  key: 'process:tor',
  spec: { type: 'process', instance: 'tor', torrc: undefined },
  facts,
});
const RUNNING = { running: true, bootstrap: 100, summary: 'Done' };

describe('compile', () => {
  it('makes the files of each onion a resource of its own, and one process that loads them all', () => {
    const { resources } = compile(exposed('shop'), exposed('blog'));
    expect(resources.map(({ key, neededBy }) => [key, neededBy])).toEqual([
      ['onion:blog', ['blog']],
      ['onion:shop', ['shop']],
      ['process:tor', ['blog', 'shop']],
    ]);
  });

  it('serves one that does not hide from a process of its own, which the shared one visits', () => {
    const quick = { ...exposed('quick'), options: { anonymity: 'single-hop', proofOfWork: 'off' } } as const;
    const { resources, problems } = compile(quick);
    expect(resources.map(({ key, neededBy }) => [key, neededBy])).toEqual([
      ['process:tor', ['quick']],
      ['onion:single-hop/quick', ['quick']],
      ['process:single-hop', ['quick']],
    ]);
    expect(problems).toEqual([]);
  });

  it.each(['hide-home-address', 'no-clearnet', 'tor-only'] as const)(
    'makes nothing that does not hide for privacy %s',
    (privacy) => {
      const options = { anonymity: 'single-hop', proofOfWork: 'off', authorization: 'required' } as const;
      const { resources, problems, ledger } = compile({ ...exposed('quick', { privacy }), options });
      expect(resources).toEqual([]);
      expect(problems).toMatchObject([{ code: 'PrivacyForbids', service: 'quick' }]);
      // Allowed again, it knows whom it let in.
      expect(ledger).toMatchObject({ 'asks/quick': 'yes' });
    },
  );

  it('runs no tor for nobody', () => {
    expect(compile().resources).toEqual([]);
  });

  it('puts web pages on port 80 and everything else on its own port', () => {
    const ports = compile(
      exposed('a', { kind: 'btcpay', port: 23000 }),
      exposed('b', { kind: 'lnd', port: 8080 }),
      exposed('c', { kind: 'ssh', port: 22 }),
    ).resources.map(({ spec }) => (spec.type === 'onion' ? spec.virtualPort : 0));
    expect(ports).toEqual([80, 8080, 22, 0]);
  });

  it('defends an onion by proof of work where the owner says so', () => {
    const off = { ...exposed('b'), options: { anonymity: 'full', proofOfWork: 'off' } } as const;
    const defended = compile(exposed('a'), off).resources.flatMap(({ spec }) =>
      spec.type === 'onion' ? [spec.proofOfWork] : [],
    );
    expect(defended).toEqual([true, false]);
    expect(tor.options.parse({})).toEqual({ anonymity: 'full', proofOfWork: 'off' });
  });

  it('gives services that are tor-only a process of their own, and nothing of them to the other', () => {
    const { resources } = compile(exposed('shop'), exposed('diary', { privacy: 'tor-only' }));
    expect(resources.map(({ key, neededBy }) => [key, neededBy])).toEqual([
      ['onion:shop', ['shop']],
      ['process:tor', ['shop']],
      ['onion:tor-only/diary', ['diary']],
      ['process:tor-only', ['diary']],
    ]);
    const open = resources.filter(({ spec }) => spec.instance === 'tor');
    expect(JSON.stringify(open)).not.toContain('diary');
    const seen: Observed<Spec>[] = [onion(), process(RUNNING)];
    const diary = exposed('diary', { privacy: 'tor-only' });
    expect(tor.published(diary, seen)).toMatchObject({ reason: 'TorNotRunning' });
  });

  it('asks the hub to let tor in only where the hub stands in between', () => {
    const { wants } = compile(
      exposed('inside', { kind: 'ssh' }),
      exposed('host', { kind: 'tcp', place: { type: 'host' } }),
      exposed('nas', { kind: 'tcp', place: { type: 'target', host: '192.168.1.20' } }),
    );
    expect(wants).toEqual([{ part: 'namespaces', from: 'tor', service: 'inside' }]);
  });

  it('has the edge see the requests of pages, whatever they are behind, and of nothing else', () => {
    const { wants, resources } = compile(
      exposed('diary', { privacy: 'tor-only' }),
      exposed('host', { kind: 'btcpay', place: { type: 'host' } }),
      ...(['tcp', 'lnd', 'clnrest', 'electrum', 'bitcoind', 'ssh'] as const).map((kind) =>
        exposed(kind, { kind }),
      ),
    );
    expect(wants.filter(({ part }) => part === 'edge')).toEqual([
      { part: 'edge', type: 'onion', service: 'diary', instance: 'tor-only' },
      { part: 'edge', type: 'onion', service: 'host', instance: 'tor' },
    ]);
    expect(wants).toContainEqual({ part: 'namespaces', from: 'edge', service: 'diary' });
    const through = resources.flatMap(({ spec }) =>
      spec.type === 'onion' && spec.through === 'edge' ? [spec.service] : [],
    );
    expect(through.sort()).toEqual(['diary', 'host']);
  });
});

describe('what it tells', () => {
  it.each<[string, Record<string, Fact>, Record<string, Fact>, string, string, RegExp]>([
    ['the process is gone', {}, { running: false }, 'no', 'TorNotRunning', /not running/],
    ['it keeps ending', {}, { running: false, trouble: '3 times' }, 'no', 'TorNotRunning', /3 times/],
    ['it hangs', {}, { running: false, silence: 'no answer' }, 'unknown', 'TorSilent', /no answer/],
    [
      'it connects',
      {},
      { running: true, bootstrap: 45, summary: 'Loading', warning: 'No route' },
      'no',
      'Bootstrapping',
      /45 %: Loading \(No route\)/,
    ],
    [
      'nothing was uploaded',
      { upload: 'DescriptorPending', progress: 'not seen' },
      RUNNING,
      'unknown',
      'DescriptorPending',
      /not seen/,
    ],
    ['it was uploaded', { uploaded: 'yes' }, RUNNING, 'yes', 'DescriptorUploaded', /uploaded/],
    [
      'the key is damaged',
      { uploaded: 'yes', trouble: 'KeyCorrupt', why: 'key tor/shop is damaged' },
      RUNNING,
      'no',
      'KeyCorrupt',
      /tor\/shop/,
    ],
  ])('when %s', (_when, onionFacts, processFacts, status, reason, message) => {
    const published = tor.published(exposed('shop'), [onion(onionFacts), process(processFacts)]);
    expect(published).toMatchObject({ status, reason, message: expect.stringMatching(message) });
  });

  it('has an address only once there is one', () => {
    expect(tor.addresses(exposed('shop'), [])).toEqual([]);
    expect(tor.addresses(exposed('shop'), [onion()])[0]?.url).toBe(`http://${HOSTNAME}`);
    const lnd = exposed('shop', { kind: 'lnd' });
    expect(tor.addresses(lnd, [onion()])[0]?.url).toBe(`tcp://${HOSTNAME}:8080`);
    expect(tor.handouts(lnd, [onion()])).toMatchObject([{ kind: 'link', secret: false }]);
  });
});

describe('apply', () => {
  it('makes no key for an onion that exists, even when nobody remembers its key', async () => {
    const want = { key: 'onion:shop', spec: onion().spec, neededBy: ['shop'] } as const;
    const keys = {
      ...KEYS,
      read: () => Promise.resolve(undefined),
      ensure: () => Promise.reject(new Error('made')),
    };
    const ports = unavailablePorts({ crypto: nodeCrypto, keys });
    const context = { signal: new AbortController().signal, network: NETWORK, ports };
    const change = { op: 'update', want, have: onion(), why: 'its key is gone' } as const;
    await expect(tor.apply(change, context)).rejects.toMatchObject({ code: 'KeyMissing' });
  });
});

describe('reach', () => {
  const commands: string[] = [];
  const context = (visit: () => Promise<number>): Context => ({
    signal: new AbortController().signal,
    network: NETWORK,
    ports: {
      ...unavailablePorts({ crypto: nodeCrypto, keys: KEYS }),
      tor: {
        tor: port('tor', visit),
        'tor-only': port('tor-only', visit),
        'single-hop': port('single-hop', visit),
      },
    },
  });
  const port = (name: string, visit: () => Promise<number>): TorPort => ({
    command: (line) => Promise.resolve([(commands.push(`${name}: ${line}`), 'OK')[1] ?? '']),
    uploads: () => NOTHING_UPLOADED,
    expectUpload: () => undefined,
    visit,
    visitPage: async () => ({ status: 200, tookMs: await visit() }),
    close: () => Promise.resolve(),
  });
  const failing = (code: ErrorCode) => () => Promise.reject(new GatewayError(`${code}!`, { code }));

  it('is proved by an accepted stream, from the vantage tor', async () => {
    const found = await tor.reach(
      exposed('shop'),
      [onion(), process(RUNNING)],
      context(() => Promise.resolve(300)),
    );
    expect(found).toMatchObject({ reachable: 'yes', vantage: 'tor', provedAt: expect.any(String) });
  });

  it.each<[ErrorCode, boolean, string, RegExp]>([
    ['ConnectionRefused', true, 'no', /shop does not accept connections at 10\.64\.1\.2:8080/],
    ['Timeout', true, 'no', /Timeout/],
    ['Unreachable', true, 'no', /Unreachable/],
    ['Unreachable', false, 'unknown', /descriptor/],
    ['TorUnavailable', true, 'unknown', /our own tor could not check/],
  ])('judges %s (uploaded: %s) as %s', async (code, uploaded, reachable, detail) => {
    const observed = [onion({ uploaded: uploaded ? 'yes' : 'unknown' }), process(RUNNING)];
    const found = await tor.reach(exposed('shop'), observed, context(failing(code)));
    expect(found).toMatchObject({ reachable, detail: expect.stringMatching(detail) });
  });

  it('is not proved by an answer that HAProxy gives in place of the page', async () => {
    const held = context(() => Promise.resolve(300));
    const gone = (of: TorPort): TorPort => ({ ...of, visitPage: async () => ({ status: 503, tookMs: 1 }) });
    const ports = { ...held.ports, tor: { ...held.ports.tor, tor: gone(held.ports.tor.tor) } };
    const found = await tor.reach(exposed('shop'), [onion(), process(RUNNING)], { ...held, ports });
    expect(found).toMatchObject({
      reachable: 'no',
      detail: expect.stringMatching(/shop does not accept connections/),
    });
    const ssh = exposed('shop', { kind: 'ssh' });
    const straight = await tor.reach(ssh, [onion(), process(RUNNING)], { ...held, ports });
    expect(straight.reachable).toBe('yes');
  });

  it('tells tor to ask again after a visit that found no descriptor', async () => {
    commands.length = 0;
    await tor.reach(exposed('shop'), [onion(), process(RUNNING)], context(failing('Unreachable')));
    expect(commands).toEqual(['tor: SIGNAL NEWNYM']);
  });

  it('shows its own key where one is asked for, and does not say no when it cannot', async () => {
    commands.length = 0;
    const asking = {
      ...exposed('shop'),
      options: { ...exposed('shop').options, authorization: 'required' },
    } as const;
    const secret = nodeCrypto.curve25519Secret();
    const holding = context(() => Promise.resolve(300));
    const keys = { ...KEYS, read: () => Promise.resolve(new Secret(secret)) };
    const held = { ...holding, ports: { ...holding.ports, keys } };
    expect((await tor.reach(asking, [onion(), process(RUNNING)], held)).reachable).toBe('yes');
    const key = Buffer.from(secret).toString('base64');
    expect(commands).toEqual([`tor: ONION_CLIENT_AUTH_ADD ${HOSTNAME.slice(0, 56)} x25519:${key}`]);
    const without = await tor.reach(asking, [onion(), process(RUNNING)], holding);
    expect(without).toMatchObject({ reachable: 'unknown', detail: expect.stringMatching(/asks for a key/) });
  });

  it('does not visit, and does not say no, while tor could not', async () => {
    const never = () => Promise.reject(new Error('visited'));
    for (const facts of [{ running: false }, { running: true, bootstrap: 10, summary: '' }]) {
      const found = await tor.reach(exposed('shop'), [onion(), process(facts)], context(never));
      expect(found).toMatchObject({ reachable: 'unknown', vantage: 'none' });
    }
  });
});
