import { describe, expect, it } from 'vitest';
import { clearnet } from '../../../providers/clearnet/index.ts';
import type { Options, Settings, Spec } from '../../../providers/clearnet/spec.ts';
import { networkFor } from '../../../src/core/allocate.ts';
import { parseConfig } from '../../../src/core/config.ts';
import type { Compiled } from '../../../src/core/contract.ts';
import { compileDesired } from '../../../src/core/desired.ts';
import type { Service, ServiceKind } from '../../../src/core/service.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const service = (name: string, kind: ServiceKind = 'http'): Service => ({
  name,
  kind,
  privacy: 'open',
  port: 80,
  place: { type: 'namespace', name },
  address: '10.64.1.2',
  dial: { host: '10.64.1.2', port: 80 },
});
const at = (found: Service, domain: string): { service: Service; options: Options } => ({
  service: found,
  options: clearnet.options.parse({ domain }),
});

function compile(exposures: ReturnType<typeof at>[], settings: Partial<Settings> = {}): Compiled<Spec> {
  return clearnet.compile({
    network: NETWORK,
    services: exposures.map((exposure) => exposure.service),
    exposures,
    devices: [],
    wants: [],
    ledger: {},
    settings: clearnet.settings.parse(settings),
  });
}

describe('compile', () => {
  it('asks for the page, its certificate, its name and two ports', () => {
    const { resources, wants, problems } = compile([at(service('shop'), 'Pay.Shop.test')]);
    expect(problems).toEqual([]);
    expect(resources).toEqual([
      {
        key: 'site:shop',
        spec: { service: 'shop', domain: 'pay.shop.test', mode: 'http' },
        neededBy: ['shop'],
      },
    ]);
    expect(wants).toEqual([
      {
        part: 'edge',
        type: 'site',
        service: 'shop',
        domain: 'pay.shop.test',
        via: 'clearnet',
        access: 'anyone',
        mode: 'http',
        listen: { https: 443, http: 80 },
      },
      {
        part: 'certificates',
        name: 'pay.shop.test',
        service: 'shop',
        challenges: ['dns-01', 'http-01', 'tls-alpn-01'],
      },
      { part: 'dns', name: 'pay.shop.test', service: 'shop' },
      { part: 'ports', transport: 'tcp', service: 'shop', port: 443, externalPort: 443 },
      { part: 'ports', transport: 'tcp', service: 'shop', port: 80, externalPort: 80 },
    ]);
  });

  it('sets no name and proves nothing by one for a page at an address', () => {
    const { wants } = compile([at(service('shop'), '11.2.0.2')]);
    expect(wants.filter(({ part }) => part === 'dns')).toEqual([]);
    expect(wants.find(({ part }) => part === 'certificates')).toMatchObject({
      name: '11.2.0.2',
      challenges: ['http-01', 'tls-alpn-01'],
    });
  });

  it('tells visitors of the onion only where that was asked for', () => {
    const options = clearnet.options.parse({ domain: 'pay.shop.test', onionLocation: true });
    const told = compile([{ service: service('shop'), options }, at(service('wiki'), 'wiki.shop.test')]);
    const sites = told.wants.filter(({ part }) => part === 'edge');
    expect(sites).toMatchObject([{ service: 'shop', onionLocation: true }, { service: 'wiki' }]);
    expect(sites[1]).not.toHaveProperty('onionLocation');
  });

  it('lets in only devices where that was asked for, and can be', () => {
    const exposure = (kind: ServiceKind, domain: string) => {
      return {
        service: service('shop', kind),
        options: clearnet.options.parse({ domain, access: 'devices' }),
      };
    };
    const { wants, problems } = compile([exposure('http', 'pay.shop.test')]);
    expect(problems).toEqual([]);
    expect(wants.find(({ part }) => part === 'edge')).toMatchObject({ access: 'devices' });
    for (const [kind, domain] of [
      ['http', '11.2.0.2'],
      ['electrum', 'electrum.test'],
    ] as const) {
      const refused = compile([exposure(kind, domain)]);
      // Not one that lets in everybody instead.
      expect([refused.resources, refused.wants]).toEqual([[], []]);
      expect(refused.problems).toMatchObject([{ code: 'DevicesNotSupported', service: 'shop' }]);
    }
  });

  it('gives a device its certificate once, with the pages that ask for it', () => {
    const pay = {
      service: service('shop'),
      options: clearnet.options.parse({ domain: 'pay.shop.test', access: 'devices' }),
    };
    const open = at(service('wiki'), 'wiki.shop.test');
    const observed = compile([pay, open]).resources.map((resource) => ({ ...resource, facts: {} }));
    const device = { name: 'phone', services: ['shop', 'wiki'], addedAt: '' };
    const input = {
      device,
      privateKey: '',
      presharedKey: '',
      network: NETWORK,
      services: [],
      exposures: [pay, open],
      settings: clearnet.settings.parse({}),
    };
    const again = clearnet.enrol?.(input, observed) ?? [];
    expect(again.map(({ text }) => text)).toEqual(['https://pay.shop.test']);
    const certificate = { pkcs12: 'MIIC', password: 'abcd2345efgh' };
    const first = clearnet.enrol?.({ ...input, certificate }, observed) ?? [];
    expect(first.map(({ kind, secret }) => [kind, secret])).toEqual([
      ['client-certificate', true],
      ['client-certificate-password', true],
      ['link', false],
    ]);
    expect(first[0]).toMatchObject({ file: 'phone.p12', text: 'MIIC' });
  });

  it('has the router open 443 and 80 for whatever ports this machine has left, or asks it nothing', () => {
    const exposure = at(service('shop'), 'pay.shop.test');
    const ports = compile([exposure], { https: 8443, http: 8080 }).wants.filter(
      ({ part }) => part === 'ports',
    );
    expect(ports).toMatchObject([
      { port: 8443, externalPort: 443 },
      { port: 8080, externalPort: 80 },
    ]);
    const silent = compile([exposure], { mapping: 'off' }).wants;
    expect(silent.filter(({ part }) => part === 'ports')).toEqual([]);
  });

  it('gives a name to one service, whatever the order, and tells the other', () => {
    const both = [at(service('wiki'), 'pay.shop.test'), at(service('shop'), 'pay.shop.test')];
    for (const exposures of [both, both.toReversed()]) {
      const { resources, problems } = compile(exposures);
      expect(resources.map(({ key }) => key)).toEqual(['site:shop']);
      expect(problems).toEqual([
        {
          code: 'DomainTaken',
          service: 'wiki',
          message: 'wiki cannot answer at pay.shop.test: that name belongs to shop',
          hint: 'give wiki a name of its own: gateway expose wiki --via clearnet --domain NAME',
        },
      ]);
    }
  });

  it.each(['bitcoind', 'ssh'] as const)('puts no %s at a public name', (kind) => {
    const { resources, wants, problems } = compile([at(service('node', kind), 'node.shop.test')]);
    expect([resources, wants]).toEqual([[], []]);
    expect(problems).toMatchObject([{ code: 'KindNotSupported', service: 'node' }]);
  });
});

describe('in gateway.yaml', () => {
  const problemsOf = (text: string) => parseConfig(text, [clearnet]).problems?.map(({ message }) => message);

  it.each([
    ['{}', 'is missing'],
    ['{ domain: shop }', 'must be a whole DNS name'],
    ['{ domain: "https://pay.shop.test" }', 'must be a name alone'],
    ['{ domain: pay.shop.test, access: friends }', 'access'],
  ])('clearnet: %s is an error that names the place', (options, why) => {
    const [problem = ''] =
      problemsOf(`services: { shop: { port: 80, expose: { clearnet: ${options} } } }`) ?? [];
    expect(problem).toContain('services.shop.expose.clearnet');
    expect(problem).toContain(why);
  });

  it.each(['hide-home-address', 'no-clearnet', 'tor-only'])(
    'a service with privacy %s asks for nothing',
    (privacy) => {
      const expose = '{ clearnet: { domain: pay.shop.test } }';
      const text = `services: { shop: { port: 80, kind: http, privacy: ${privacy}, expose: ${expose} } }`;
      const { config } = parseConfig(text, [clearnet]);
      if (config === undefined) throw new Error(text);
      const inputs = { devices: [], ledger: {}, parts: [], providers: [clearnet], network: NETWORK };
      const { problems, resources } = compileDesired({ config, ...inputs });
      expect(problems).toMatchObject([{ code: 'PrivacyForbids', service: 'shop' }]);
      expect(resources.get('clearnet')).toEqual([]);
    },
  );
});
