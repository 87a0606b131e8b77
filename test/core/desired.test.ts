import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { networkFor } from '../../src/core/allocate.ts';
import type { Config, ConfigService } from '../../src/core/config.ts';
import type { Capabilities, Compiled, CompileInput, Part, Provider } from '../../src/core/contract.ts';
import { compileDesired, type DesiredInput, type Ledgers } from '../../src/core/desired.ts';
import { tieWarnings } from '../../src/core/privacy.ts';
import { isAllowed, privacyProblem } from '../../src/core/privacy.ts';
import { PRIVACIES, type Device, type Privacy } from '../../src/core/service.ts';

const PLAIN: Capabilities = {
  network: 'onion',
  needsPublicAddress: false,
  needsOpenPort: false,
  worksBehindCgnat: true,
  perDeviceCredentials: false,
  canBeFallback: true,
  showsHomeAddress: false,
  showsPublicName: false,
};

function part(id: string): Part {
  return {
    id,
    kinds: ['seen'],
    compile: (input) => ({
      resources: input.wants.map((want) => ({ key: `seen:${want.service}`, spec: want, neededBy: [] })),
      wants: [],
      problems: [],
      ledger: input.ledger,
    }),
    observe: () => Promise.resolve([]),
    apply: () => Promise.resolve(),
    describe: () => '',
    close: () => Promise.resolve(),
  };
}

/** Writes down all that it was given, so that a difference in the input would be seen in the output. */
function provider(id: string, capabilities: Partial<Capabilities>): Provider {
  const compile = (input: CompileInput): Compiled => ({
    resources: input.exposures.map(({ service, options }) => ({
      key: `way:${service.name}`,
      spec: { service, options, devices: input.devices, settings: input.settings },
      neededBy: [service.name],
    })),
    wants: input.exposures.map(({ service }) => ({ part: 'namespaces', from: 'tor', service: service.name })),
    problems: input.exposures
      .filter(({ service }) => service.port === 666)
      .map(({ service }) => ({ code: 'Refused', service: service.name, message: 'no' })),
    ledger: { ...input.ledger, seen: input.exposures.length },
  });
  return {
    ...part(id),
    compile,
    title: id,
    capabilities: { ...PLAIN, ...capabilities },
    options: z.unknown(),
    settings: z.unknown(),
    addresses: () => [],
    published: () => ({ status: 'unknown', reason: 'NotChecked', message: '' }),
    reach: () => Promise.resolve({ reachable: 'unknown', vantage: 'none', detail: '' }),
    handouts: () => [],
  };
}

const tor = provider('tor', {});
const wireguard = provider('wireguard', { network: 'vpn', showsHomeAddress: true });
const clearnet = provider('clearnet', { network: 'internet', showsHomeAddress: true, showsPublicName: true });
const relay = provider('relay', { network: 'internet', showsPublicName: true });
const providers = [tor, wireguard, clearnet, relay];

function service(name: string, change: Partial<ConfigService> = {}): ConfigService {
  const place = { type: 'namespace', name } as const;
  return {
    name,
    place,
    port: 80,
    kind: 'tcp',
    privacy: 'open',
    expose: { tor: {} },
    fallback: [],
    ...change,
  };
}

function input(services: readonly ConfigService[], change: Partial<DesiredInput> = {}): DesiredInput {
  const settings = { tor: {}, wireguard: { port: 51820 }, clearnet: {}, relay: {} };
  const config: Config = { prefix: 'gw', pool: undefined, stun: [], relays: [], services, settings };
  const network = networkFor('gw', '10.64.0.0/20');
  return { config, devices: [], ledger: {}, parts: [part('namespaces')], providers, network, ...change };
}

it('has no way take over that its rule forbids', () => {
  const ways = {
    expose: { tor: {}, clearnet: {}, wireguard: {} },
    fallback: ['clearnet', 'wireguard', 'tor'],
  };
  const services = [
    service('open', ways),
    service('shy', { ...ways, privacy: 'tor-only' }),
    service('none', { expose: {} }),
  ];
  expect([...compileDesired(input(services)).orders]).toEqual([
    ['open', ['clearnet', 'wireguard', 'tor']],
    ['shy', ['tor']],
  ]);
});

it('says of which services the onion is known together with the home', () => {
  const said = (expose: object): string[] =>
    tieWarnings(compileDesired(input([service('shop', { expose: { ...expose } })])).exposures, providers);
  expect(said({ tor: {} })).toEqual([]);
  expect(said({ clearnet: {}, relay: {} })).toEqual([]);
  expect(said({ tor: {}, relay: {}, clearnet: {} })).toEqual([
    expect.stringContaining(
      'shop has an onion and is exposed through clearnet and relay: whoever visits both',
    ),
  ]);
});

describe('privacy', () => {
  it.each([
    ['open', ['tor', 'wireguard', 'clearnet', 'relay']],
    ['hide-home-address', ['tor', 'relay']],
    ['no-clearnet', ['tor']],
    ['tor-only', ['tor']],
  ] as const)('%s allows %j', (privacy, allowed) => {
    expect(
      providers.filter(({ capabilities }) => isAllowed(privacy, capabilities)).map(({ id }) => id),
    ).toEqual(allowed);
  });

  it('says what shows what, and what to change', () => {
    expect(privacyProblem({ name: 'lnd', privacy: 'hide-home-address' }, wireguard)).toEqual({
      code: 'PrivacyForbids',
      service: 'lnd',
      message:
        'lnd has privacy hide-home-address and is not exposed through wireguard, which shows visitors the address of the home',
      hint: 'remove wireguard from services.lnd.expose, or set its privacy to open',
    });
  });

  it('leaves out the forbidden way and keeps the others', () => {
    const expose = { tor: {}, wireguard: {} };
    const desired = compileDesired(input([service('lnd', { privacy: 'tor-only', expose })]));
    expect(desired.exposures.map(({ provider: id, problem }) => [id, problem?.code])).toEqual([
      ['tor', undefined],
      ['wireguard', 'PrivacyForbids'],
    ]);
    expect(desired.resources.get('wireguard')).toEqual([]);
    expect(desired.resources.get('tor')).toHaveLength(1);
    expect(desired.problems.map(({ code }) => code)).toEqual(['PrivacyForbids']);
  });

  it('lets no node announce a home that it hides, and keeps everything else of it', () => {
    const node = { credential: '/a/m', certificate: '/a/c', announce: 9735 };
    const announcing = (change: Partial<ConfigService>) =>
      compileDesired(input([service('lnd', { kind: 'lnd', node, ...change })]));
    expect(announcing({}).services[0]?.node).toEqual(node);
    expect(announcing({}).problems).toEqual([]);
    for (const privacy of ['hide-home-address', 'no-clearnet', 'tor-only'] as const) {
      const hidden = announcing({ privacy });
      expect(hidden.services[0]?.node).toEqual({ credential: '/a/m', certificate: '/a/c' });
      expect(hidden.problems).toMatchObject([{ code: 'PrivacyForbids', service: 'lnd' }]);
      expect(hidden.exposures.map(({ problem }) => problem)).toEqual([undefined]);
    }
    expect(announcing({ egress: 'tor' }).services[0]?.node).not.toHaveProperty('announce');
  });

  it('holds in a tor-only service that would leave directly, and keeps its ways in', () => {
    const leaving = (privacy: Privacy, egress: 'tor' | 'direct') =>
      compileDesired(input([service('lnd', { privacy, egress })]));
    const held = leaving('tor-only', 'direct');
    expect(held.services[0]).not.toHaveProperty('egress');
    expect(held.exposures.map(({ problem }) => problem)).toEqual([undefined]);
    expect(held.problems).toMatchObject([{ code: 'PrivacyForbids', service: 'lnd' }]);
    for (const desired of [leaving('tor-only', 'tor'), leaving('no-clearnet', 'direct')]) {
      expect(desired.problems).toEqual([]);
      expect(desired.services[0]?.egress).toBeDefined();
    }
  });
});

describe('addresses', () => {
  it('dial follows the place', () => {
    const { services } = compileDesired(
      input([
        service('a'),
        service('b', { place: { type: 'host' }, port: 8080 }),
        service('c', { place: { type: 'target', host: '192.168.1.20' }, port: 443 }),
      ]),
    );
    expect(services.map(({ address, dial }) => [address, dial])).toEqual([
      ['10.64.1.2', { host: '10.64.1.2', port: 80 }],
      ['10.64.1.3', { host: '127.0.0.1', port: 8080 }],
      ['10.64.1.4', { host: '192.168.1.20', port: 443 }],
    ]);
  });

  it('stay while others come and go, and are given up with their service', () => {
    const first = compileDesired(input([service('b'), service('c')]));
    const second = compileDesired(input([service('a'), service('c')], { ledger: first.ledger }));
    expect(second.ledger['services']).toEqual({ 'service/a': '10.64.1.2', 'service/c': '10.64.1.3' });
  });

  it('that run out are a problem of the services without one; the others stay', () => {
    const names = Array.from({ length: 130 }, (_, index) => `s${String(index).padStart(3, '0')}`);
    const small = { network: networkFor('gw', '10.64.0.0/24') };
    const desired = compileDesired(
      input(
        names.map((name) => service(name)),
        small,
      ),
    );
    expect(desired.services.length).toBeGreaterThan(100);
    expect(desired.problems.map(({ service: name }) => name)).toEqual(names.slice(desired.services.length));
    expect(desired.problems[0]).toMatchObject({
      code: 'AddressPoolExhausted',
      message: `no address of pool 10.64.0.0/24 is left for ${names[desired.services.length]}`,
    });
  });
});

it('wants reach their part, problems of a provider reach the way, foreign ledger slices stay', () => {
  const ledger: Ledgers = { tor: { old: 1 }, later: { x: 1 } };
  const desired = compileDesired(input([service('good'), service('bad', { port: 666 })], { ledger }));
  expect(desired.resources.get('namespaces')?.map(({ key }) => key)).toEqual(['seen:bad', 'seen:good']);
  expect(desired.exposures.map(({ service: { name }, problem }) => [name, problem?.code])).toEqual([
    ['bad', 'Refused'],
    ['good', undefined],
  ]);
  expect(desired.ledger).toMatchObject({ tor: { old: 1, seen: 2 }, later: { x: 1 } });
});

it('a grant for a service that is gone grants nothing', () => {
  const device: Device = { name: 'phone', services: ['gone', 'a'], publicKey: 'k', addedAt: '' };
  const desired = compileDesired(input([service('a')], { devices: [device] }));
  expect(desired.resources.get('tor')?.[0]?.spec).toMatchObject({ devices: [{ services: ['a'] }] });
});

it('the order of the input never matters, and a second compile changes nothing', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,3}$/);
  const one = fc.record({
    name,
    privacy: fc.constantFrom(...PRIVACIES),
    ways: fc.subarray(providers.map(({ id }) => id)),
  });
  const set = fc.uniqueArray(one, { maxLength: 12, selector: (item) => item.name });
  const shuffled = <Item>(items: readonly Item[], seed: readonly number[]): Item[] =>
    items
      .map((item, index) => ({ item, at: seed[index] ?? 0 }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  const devices = (names: readonly string[]): Device[] =>
    ['x', 'y', 'z'].map((id) => ({ name: id, services: names, publicKey: id, addedAt: '' }));
  fc.assert(
    fc.property(set, fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), (items, seed) => {
      const services = items.map(({ name: id, privacy, ways }) =>
        service(id, { privacy, expose: Object.fromEntries(ways.map((way) => [way, {}])) }),
      );
      const names = items.map(({ name: id }) => id);
      const ledger: Ledgers = {
        services: Object.fromEntries(names.slice(0, 3).map((id, n) => [`service/${id}`, `10.64.1.${n + 9}`])),
      };
      const straight = compileDesired(input(services, { devices: devices(names), ledger }));
      const mixed = compileDesired(
        input(shuffled(services, seed), {
          devices: shuffled(devices(shuffled(names, seed)), seed),
          providers: shuffled(providers, seed),
          ledger: { services: Object.fromEntries(shuffled(Object.entries(ledger['services'] ?? {}), seed)) },
        }),
      );
      expect(JSON.stringify([mixed, [...mixed.resources]])).toBe(
        JSON.stringify([straight, [...straight.resources]]),
      );
      expect(compileDesired(input(services, { devices: devices(names), ledger: straight.ledger }))).toEqual(
        straight,
      );
      const addresses = straight.services.map(({ address }) => address);
      expect(new Set(addresses).size).toBe(addresses.length);
    }),
  );
});
