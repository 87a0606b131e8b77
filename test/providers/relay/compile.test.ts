import { describe, expect, it } from 'vitest';
import { relay } from '../../../providers/relay/index.ts';
import type { Options, Spec } from '../../../providers/relay/spec.ts';
import { networkFor } from '../../../src/core/allocate.ts';
import type { Compiled, Ledger, Want } from '../../../src/core/contract.ts';
import type { Relay } from '../../../src/core/relay.ts';
import type { Place, Service, ServiceKind } from '../../../src/core/service.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

function relayNamed(name: string, change: Partial<NonNullable<Relay['tunnel']>> = {}): Relay {
  const tunnel = {
    publicKey: KEY,
    endpoints: ['11.1.0.2:51820'],
    address: '10.127.0.2',
    relayAddress: '10.127.0.1',
  };
  return { ...lookingNamed(name), tunnel: { ...tunnel, ...change } };
}
const lookingNamed = (name: string): Relay => ({
  name,
  address: '11.1.0.2:7443',
  fingerprint: 'A'.repeat(43),
  home: '0123456789abcdef',
});

const service = (name: string, kind: ServiceKind = 'http', place?: Place): Service => ({
  name,
  kind,
  privacy: 'open',
  port: 80,
  place: place ?? { type: 'namespace', name },
  address: '10.64.1.2',
  dial: { host: '10.64.1.2', port: 80 },
});

interface Asked {
  readonly service: Service;
  readonly options: Options;
}
const at = (found: Service, options: object = { domain: `${found.name}.test` }): Asked => ({
  service: found,
  options: relay.options.parse(options),
});

function compile(
  exposures: readonly Asked[],
  relays: readonly Relay[],
  ledger: Ledger = {},
  wants: readonly Want[] = [],
): Compiled<Spec> {
  const services = exposures.map((exposure) => exposure.service);
  return relay.compile({
    network: NETWORK,
    services,
    exposures,
    devices: [],
    wants,
    ledger,
    settings: {},
    relays,
  });
}

const specOf = (compiled: Compiled<Spec>, key: string): Spec | undefined =>
  compiled.resources.find((resource) => resource.key === key)?.spec;
const codes = (compiled: Compiled<Spec>) => compiled.problems.map(({ code, service: name }) => [code, name]);

describe('compile', () => {
  it('lets in only devices where that was asked for, and can be', () => {
    const page = compile(
      [at(service('shop'), { domain: 'shop.test', access: 'devices' })],
      [relayNamed('vps')],
    );
    expect(page.problems).toEqual([]);
    expect(page.wants.find(({ part }) => part === 'edge')).toMatchObject({ access: 'devices' });
    for (const kind of ['tcp', 'electrum'] as const) {
      const refused = compile(
        [at(service('node', kind), { domain: 'node.test', access: 'devices' })],
        [relayNamed('vps')],
      );
      // Not one that lets in everybody instead.
      expect([codes(refused), refused.wants]).toEqual([[['DevicesNotSupported', 'node']], []]);
    }
  });

  it('has browsers told to forget https alone where its owner says so, and not otherwise', () => {
    const strictOf = (options: object): unknown => {
      const { wants } = compile(
        [at(service('shop'), { domain: 'shop.test', ...options })],
        [relayNamed('vps')],
      );
      return wants.map((want) => 'strict' in want && want.strict).find((strict) => strict !== false);
    };
    expect([strictOf({}), strictOf({ strict: true }), strictOf({ strict: false })]).toEqual([
      undefined,
      undefined,
      'off',
    ]);
  });

  it('makes one tunnel and one request for all that goes by a relay', () => {
    const compiled = compile(
      [at(service('shop'), { domain: 'Pay.Shop.test' }), at(service('node', 'tcp'), { port: 9735 })],
      [relayNamed('vps')],
    );
    expect(compiled.problems).toEqual([]);
    expect(compiled.resources.map(({ key }) => key)).toEqual([
      'tunnel:vps',
      'carry:vps',
      'way:node',
      'way:shop',
    ]);
    expect(specOf(compiled, 'tunnel:vps')).toMatchObject({
      tunnel: {
        number: 0,
        mtu: 1420,
        web: { https: 7600, http: 7601 },
        ports: [{ port: 9735, service: 'node', to: { address: '10.64.1.2', port: 80 } }],
      },
    });
    expect(specOf(compiled, 'carry:vps')).toMatchObject({
      carry: { names: ['pay.shop.test'], ports: [{ protocol: 'tcp', from: 9735 }], devices: false },
    });
    expect(compiled.wants).toMatchObject([
      { part: 'edge', via: 'relay', domain: 'pay.shop.test', tunnel: { number: 0, https: 7600, http: 7601 } },
      { part: 'certificates', name: 'pay.shop.test' },
      { part: 'dns', name: 'pay.shop.test', at: { ipv4: '11.1.0.2' } },
    ]);
  });

  it('opens no listener of the edge for ports alone, and no tunnel to a relay that nobody uses', () => {
    const relays = [relayNamed('vps'), relayNamed('other')];
    const compiled = compile([at(service('node', 'tcp'), { relay: 'vps', port: 9735 })], relays);
    expect(compiled.resources.map(({ key }) => key)).toEqual(['tunnel:vps', 'carry:vps', 'way:node']);
    expect(JSON.stringify(specOf(compiled, 'tunnel:vps'))).not.toContain('web');
    expect(compiled.wants).toEqual([]);
  });

  it('has two relays carry one name', () => {
    const relays = [relayNamed('a'), relayNamed('b', { endpoints: ['b.test:51820'] })];
    const compiled = compile([at(service('shop'), { domain: 'shop.test', relay: ['b', 'a'] })], relays);
    expect(specOf(compiled, 'way:shop')).toMatchObject({ relays: ['a', 'b'] });
    const sites = compiled.wants.filter(({ part }) => part === 'edge');
    expect(sites).toMatchObject([{ tunnel: { number: 0 } }, { tunnel: { number: 1 } }]);
  });

  it('brings devices by one relay, which stays the same for as long as it carries', () => {
    const wants = (['shop', 'node'] as const).map(
      (name) => ({ part: 'relay', port: 51_820, service: name }) as const,
    );
    const clashing = relayNamed('a', { address: '10.64.1.2' });
    const alone = compile([], [clashing, lookingNamed('b'), relayNamed('vps')], {}, wants);
    expect(alone.resources.map(({ key, neededBy }) => [key, neededBy])).toEqual([
      ['tunnel:vps', ['node', 'shop']],
      ['carry:vps', ['node', 'shop']],
    ]);
    expect(specOf(alone, 'tunnel:vps')).toMatchObject({ tunnel: { devices: 51_820, ports: [] } });
    expect(specOf(alone, 'carry:vps')).toMatchObject({ carry: { names: [], ports: [], devices: true } });
    const more = [relayNamed('b'), relayNamed('vps')];
    expect(compile([], more, alone.ledger, wants).resources.map(({ key }) => key)).toContain('tunnel:vps');
    expect(compile([], more, {}, wants).resources.map(({ key }) => key)).toContain('tunnel:b');
    expect(compile([], [relayNamed('b')], alone.ledger, wants).ledger).toMatchObject({ devices: 'b' });
    expect(compile([], [lookingNamed('b')], {}, wants).resources).toEqual([]);
    expect(compile([], more, alone.ledger).resources).toEqual([]);
  });

  it('keeps the number of a relay, whoever joins or is left', () => {
    const first = compile([at(service('shop'))], [relayNamed('vps')]);
    const more = compile(
      [at(service('shop'), { domain: 'shop.test', relay: 'vps' })],
      [relayNamed('a'), relayNamed('vps')],
      first.ledger,
    );
    expect(more.ledger).toEqual({ 'tunnel/a': 1, 'tunnel/vps': 0 });
    expect(compile([], [relayNamed('a')], more.ledger).ledger).toEqual({ 'tunnel/a': 1 });
  });

  it('tells a service in a namespace of somebody else that it sees the hub', () => {
    const entered = service('node', 'tcp', { type: 'entered', by: 'container', value: 'lnd' });
    expect(specOf(compile([at(entered, { port: 9735 })], [relayNamed('vps')]), 'tunnel:vps')).toMatchObject({
      tunnel: { ports: [{ isFromHub: true }] },
    });
  });

  it.each([
    ['no relay was joined', at(service('shop')), [], 'RelayUnknown'],
    [
      'the relay only looks',
      at(service('shop'), { domain: 'a.test', relay: 'vps' }),
      [lookingNamed('vps')],
      'RelayUnknown',
    ],
    ['only one that looks was joined', at(service('shop')), [lookingNamed('vps')], 'RelayUnknown'],
    [
      'the relay is not known',
      at(service('shop'), { domain: 'a.test', relay: 'b' }),
      [relayNamed('a')],
      'RelayUnknown',
    ],
    ['it could go by several', at(service('shop')), [relayNamed('a'), relayNamed('b')], 'RelayUnknown'],
    [
      'the relay takes our pool',
      at(service('shop')),
      [relayNamed('a', { address: '10.64.1.2' })],
      'RelayUnknown',
    ],
    ['it has no name', at(service('shop'), {}), [relayNamed('a')], 'DomainMissing'],
    ['its kind is for its owner', at(service('node', 'bitcoind')), [relayNamed('a')], 'KindNotSupported'],
    ['the port is that of names', at(service('node', 'tcp'), { port: 443 }), [relayNamed('a')], 'PortTaken'],
    [
      'a port would leave the machine',
      at(service('node', 'tcp', { type: 'target', host: '192.168.1.2' }), { port: 9735 }),
      [relayNamed('a')],
      'NotSupported',
    ],
  ] as const)('leaves it out, and says why, when %s', (_why, exposure, relays, code) => {
    const compiled = compile([exposure], relays);
    expect(codes(compiled)).toEqual([[code, exposure.service.name]]);
    expect(compiled.resources).toEqual([]);
    expect(compiled.wants).toEqual([]);
  });

  it('gives a name, and a port of one relay, to the first service that asks', () => {
    const same = { domain: 'pay.test' };
    const pages = compile([at(service('b'), same), at(service('a'), same)], [relayNamed('vps')]);
    expect(codes(pages)).toEqual([['DomainTaken', 'b']]);
    const port = { port: 9735, relay: 'x' };
    const other = { port: 9735, relay: 'y' };
    const nodes = [
      at(service('a', 'tcp'), port),
      at(service('b', 'tcp'), port),
      at(service('c', 'tcp'), other),
    ];
    expect(codes(compile(nodes, [relayNamed('x'), relayNamed('y')]))).toEqual([['DomainTaken', 'b']]);
  });
});

describe('options', () => {
  it.each([
    { domain: '11.1.0.2' },
    { domain: 'shop' },
    { relay: [] },
    { relay: '-x' },
    { port: 0 },
    { host: 'a' },
  ])('refuse %o', (options) => {
    expect(relay.options.safeParse(options).success).toBe(false);
  });
});
