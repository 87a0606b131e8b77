import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configJsonSchema, formatProblems, parseConfig, type ProviderSchema } from '../../src/core/config.ts';

const providers: readonly ProviderSchema[] = [
  { id: 'tor', options: z.strictObject({ port: z.int().optional() }), settings: z.strictObject({}) },
  {
    id: 'wireguard',
    options: z.strictObject({}),
    settings: z.strictObject({ port: z.int().default(51820), endpoint: z.string().optional() }),
  },
  { id: 'relay', options: z.strictObject({}), settings: z.strictObject({ host: z.string() }) },
];

const said = (text: string): string => {
  const { problems } = parseConfig(text, providers);
  return problems === undefined ? 'valid' : formatProblems('gateway.yaml', problems);
};

const shop = (lines: string): string => `services:\n  shop:\n    port: 8080\n${lines}`;

describe('a valid file', () => {
  it('is read with every default', () => {
    const { config } = parseConfig(
      'wireguard: { port: 4500 }\nservices:\n  shop:\n    port: 8080\n    expose:\n      tor:\n    fallback: [tor]\n',
      providers,
    );
    expect(config).toEqual({
      prefix: 'gw',
      pool: undefined,
      stun: [],
      relays: [],
      settings: {
        tor: {},
        wireguard: { port: 4500 },
        certificates: { ca: 'letsencrypt', wildcards: [] },
        dns: { wildcard: false, zones: {} },
      },
      services: [
        {
          name: 'shop',
          place: { type: 'namespace', name: 'shop' },
          port: 8080,
          kind: 'tcp',
          privacy: 'open',
          expose: { tor: {} },
          fallback: ['tor'],
        },
      ],
    });
  });

  it('has every way take over in the order of the file, tor last, unless it says otherwise', () => {
    const orderOf = (lines: string): readonly string[] | undefined =>
      parseConfig(shop(lines), providers).config?.services[0]?.fallback;
    expect(orderOf('    expose: {tor: {}, wireguard: {}}\n')).toEqual(['wireguard', 'tor']);
    expect(orderOf('    expose: {tor: {}, wireguard: {}}\n    fallback: [tor]\n')).toEqual(['tor']);
    expect(orderOf('')).toEqual([]);
  });

  it('may be empty, or name services that are elsewhere', () => {
    expect(parseConfig('', providers).config?.services).toEqual([]);
    expect(parseConfig('# nothing yet\n', providers).config?.services).toEqual([]);
    expect(parseConfig('services:\n', providers).config?.services).toEqual([]);
    const { config } = parseConfig(
      'instance: ab\npool: 10.70.0.0/20\nservices:\n  a: {namespace: host, port: 80}\n  b: {target: "192.168.1.20:443"}\n  c: {namespace: x, port: 80}\n  d: {target: "[fd00::1]:80"}',
      providers,
    );
    expect(config?.prefix).toBe('ab');
    expect(config?.services.map(({ place, port }) => [place, port])).toEqual([
      [{ type: 'host' }, 80],
      [{ type: 'target', host: '192.168.1.20' }, 443],
      [{ type: 'namespace', name: 'x' }, 80],
      [{ type: 'target', host: 'fd00::1' }, 80],
    ]);
  });
});

it('knows namespaces that somebody else made', () => {
  const { config } = parseConfig(
    'services:\n  a: {namespace: {name: vpn}, port: 80}\n  b: {namespace: {pid: 4711}, port: 80}\n  c: {namespace: {container: my_lnd.1}, port: 80}\n  d: {namespace: {unit: cln@main.service}, port: 80}',
    providers,
  );
  expect(config?.services.map(({ place }) => place)).toEqual([
    { type: 'entered', by: 'name', value: 'vpn' },
    { type: 'entered', by: 'pid', value: '4711' },
    { type: 'entered', by: 'container', value: 'my_lnd.1' },
    { type: 'entered', by: 'unit', value: 'cln@main.service' },
  ]);
});

it('finds its way into a Lightning node, and says what that takes', () => {
  const at = (kind: string, node: string) =>
    parseConfig(`services:\n  n: { port: 1, kind: ${kind}, node: ${node} }`, providers);
  expect(at('lnd', '{ macaroon: /a/m, certificate: /a/c }').config?.services[0]?.node).toEqual({
    credential: '/a/m',
    certificate: '/a/c',
  });
  expect(at('clnrest', '{ rune: /a/r, certificate: /a/c }').config?.services[0]?.node?.credential).toBe(
    '/a/r',
  );
  expect(
    at('lnd', '{ macaroon: /a/m, certificate: /a/c, announce: 9735 }').config?.services[0]?.node?.announce,
  ).toBe(9735);
  const said = (kind: string, node: string): string => at(kind, node).problems?.[0]?.message ?? 'fine';
  expect(said('http', '{ macaroon: /a/m, certificate: /a/c }')).toContain('kind http makes no credentials');
  expect(said('lnd', '{ rune: /a/r, certificate: /a/c }')).toContain('lnd takes a macaroon, not a rune');
  expect(said('clnrest', '{ certificate: /a/c }')).toContain('clnrest takes a rune');
  expect(said('clnrest', '{ rune: /a/r, certificate: /a/c, announce: 9735 }')).toContain(
    'Core Lightning takes no new address while it runs',
  );
  expect(said('lnd', '{ macaroon: m, certificate: /a/c }')).toContain('must be the whole path of a file');
  expect(said('lnd', '{ macaroon: /a/m }')).toContain('node.certificate is missing');
});

it('knows programs that are told a new address', () => {
  const { config } = parseConfig('announce: { programs: [/usr/local/bin/a, /b] }', providers);
  expect(config?.programs).toEqual(['/usr/local/bin/a', '/b']);
  expect(parseConfig('announce:\n', providers).config).not.toHaveProperty('programs');
  const wrong = (text: string): string => parseConfig(text, providers).problems?.[0]?.message ?? 'fine';
  expect(wrong('announce: { programs: [new-address] }')).toContain('must be the whole path of a program');
  expect(wrong('announce: { programs: [/a, /a] }')).toContain('names a program twice');
});

it('lets out only what has a namespace of its own', () => {
  const { config } = parseConfig(shop('    egress: tor\n'), providers);
  expect(config?.services[0]?.egress).toBe('tor');
  expect(parseConfig(shop('    egress: none\n'), providers).config?.services[0]).not.toHaveProperty('egress');
  const { problems } = parseConfig(shop('    namespace: host\n    egress: direct\n'), providers);
  expect(formatProblems('gateway.yaml', problems ?? [])).toContain(
    '5:5: services.shop.egress: shop has no network namespace of its own',
  );
});

describe('mistakes are named at their place, with what to change', () => {
  it.each([
    [shop('    prot: 1\n'), '4:5: services.shop.prot is not known; did you mean "port"?'],
    [
      shop('    zzzzzz: 1\n'),
      '4:5: services.shop.zzzzzz is not known; known here: namespace, port, target, kind, backend, privacy, egress, upstreams, node, dns, expose, fallback',
    ],
    [shop('    expose: { to: {} }\n'), '4:15: services.shop.expose.to is not known; did you mean "tor"?'],
    [
      shop('    expose: { tor: { prot: 1 } }\n'),
      '4:22: services.shop.expose.tor.prot is not known; did you mean "port"?',
    ],
    ['service: {}\n', '1:1: service is not known; did you mean "services"?'],
    ['wireguard: { prot: 1 }', '1:14: wireguard.prot is not known; did you mean "port"?'],
    [
      'services:\n  shop:\n    port: "80"\n',
      '3:5: services.shop.port must be a number, but is "80"; write it without quotes: 80',
    ],
    ['services:\n  shop:\n    port: 70000\n', '3:5: services.shop.port must be at most 65535, but is 70000'],
    ['services:\n  shop:\n    port: 0\n', '3:5: services.shop.port must be at least 1, but is 0'],
    ['services:\n  shop:\n    port: 80.5\n', '3:5: services.shop.port must be a whole number, but is 80.5'],
    [
      'services:\n  shop:\n    kind: http\n',
      '2:3: services.shop.port is missing; write the TCP port that the service listens on, such as port: 8080',
    ],
    [
      shop('    kind: htp\n'),
      '4:5: services.shop.kind must be one of http, btcpay, tcp, lnd, clnrest, electrum, bitcoind, ssh, but is "htp"; did you mean "http"?',
    ],
    [
      shop('    privacy: tor\n'),
      '4:5: services.shop.privacy must be one of open, hide-home-address, no-clearnet, tor-only, but is "tor"',
    ],
    [
      shop('    namespace: {contaner: lnd}\n'),
      '4:17: services.shop.namespace.contaner is not known; did you mean "container"?',
    ],
    [
      shop('    namespace: {}\n'),
      '4:5: services.shop.namespace says nothing, but names one namespace in one way; write one of name, pid, container, unit, such as namespace: { container: shop }',
    ],
    [
      shop('    namespace: {pid: 1, name: a}\n'),
      '4:5: services.shop.namespace has name and pid, but names one namespace in one way',
    ],
    [
      shop('    namespace: {container: "-a"}\n'),
      '4:17: services.shop.namespace.container: "-a" cannot be one; write the name of a container, such as lnd',
    ],
    [
      shop('    namespace: {name: ../../proc/1/ns/net}\n'),
      '4:17: services.shop.namespace.name: "../../proc/1/ns/net" cannot be one',
    ],
    [
      shop('    namespace: {unit: lnd}\n'),
      'cannot be one; write the name of a systemd service, such as lnd.service',
    ],
    [
      'services:\n  shop: {port: 1, upstreams: [btcpy]}\n  btcpay: {port: 2}',
      '2:19: services.shop.upstreams: there is no service "btcpy"; did you mean "btcpay"?',
    ],
    [shop('    upstreams: [shop]\n'), 'services.shop.upstreams: "shop" is the service itself; remove it'],
    [
      'services:\n  a: {port: 1, namespace: host, upstreams: [b]}\n  b: {port: 2}',
      'services.a.upstreams: a has no network namespace, so nobody can tell its connections from those of others',
    ],
    [
      'services:\n  a: {port: 1, upstreams: [b, b]}\n  b: {port: 2}',
      'services.a.upstreams: "b" stands in the list twice; remove one of them',
    ],
    [
      'services:\n  a: {port: 1, upstreams: [b]}\n  b: {target: "10.0.0.9:2"}',
      'services.a.upstreams: "b" is on another machine, to which the gateway opens no way for services',
    ],
    [
      'services:\n  a: {port: 1, namespace: {container: x}}\n  b: {port: 2, namespace: {container: x}}',
      '3:3: services.b: the namespace of container x belongs to services.a already',
    ],
    [
      shop('    namespace: hub\n'),
      '4:5: services.shop.namespace: the name "hub" belongs to the gateway itself',
    ],
    [
      shop('    target: 10.0.0.1:80\n'),
      '4:5: services.shop.target has the port in it already; remove the line port',
    ],
    [
      'services:\n  s: {target: nas:80}',
      '2:7: services.s.target "nas:80" is a name, which can change what it points to',
    ],
    [
      'services:\n  s: {target: "127.0.0.1:80"}',
      'services.s.target "127.0.0.1:80" is this machine; write namespace: host and port: 80',
    ],
    ['services:\n  s: {target: "[::1]:80"}', 'is this machine'],
    [
      shop('    kind: ssh\n    backend: h2c\n'),
      '5:5: services.shop.backend: shop is of kind ssh, and only one of kind http can be asked by h2c',
    ],
    ['services:\n  s: {target: "224.0.0.1:80"}', 'is not the address of one machine'],
    ['services:\n  s: {target: "10.0.0.1"}', 'is not an address and a port; write it like 192.168.1.20:443'],
    [
      shop('    fallback: [tor]\n'),
      '4:16: services.shop.fallback[0]: shop is not exposed through "tor"; add it to expose',
    ],
    [
      shop('    expose: {tor: {}}\n    fallback: [tor, tor]\n'),
      '5:21: services.shop.fallback[1]: "tor" stands in the list twice',
    ],
    [
      'services:\n  a: {port: 1, namespace: x}\n  x: {port: 2}',
      '3:3: services.x: namespace x belongs to services.a already',
    ],
    ['services:\n  hub: {port: 1}', '2:3: services.hub: the name hub belongs to the gateway itself'],
    [
      'services:\n  shop: 80\n',
      '2:3: services.shop must be a section of its own (key: value, indented), but is 80',
    ],
    ['[1, 2]', '1:1: the file must be a section of its own'],
    ['pool: 10.64.0.1/20', '1:1: pool "10.64.0.1/20" is not the start of a block; write 10.64.0.0/20'],
    ['pool: 10.0.0.0/8', 'must be a block from /16 to /24'],
    ['pool: 8.8.0.0/20', 'is not private'],
    ['pool: nonsense', 'is not an IPv4 block'],
    ['ula: 2001:db8::/48', 'ula "2001:db8::/48" is not a /48 of unique local IPv6 addresses'],
    ['ula: FD12:3456:789A::1/48', 'leave it out: one is chosen at random'],
    ['ula: fd12:3456:789A::/48', 'write it like fd12:3456:789a::/48'],
    ['ula: fd12:3456:789a::/64', 'is not a /48'],
    [
      'instance: Home',
      '1:1: instance must be 1 to 4 characters of a to z and 0 to 9, starting with a letter',
    ],
    [shop('    expose: {relay: {}}\n'), '1:1: relay.host is missing; write it as text'],
    ['relay: {}', '1:1: relay.host is missing; write it as text'],
  ])('%j', (text, expected) => expect(said(text)).toContain(expected));

  it.each([
    ['Shop', 'the name "Shop" has capital letters'],
    ['-rf', 'the name "-rf" starts with a dash'],
    ['9x', 'starts with a digit'],
    ['a b', 'has a space or a line break in it'],
    ['"a\\nb"', 'the name "a\\nb" has a space or a line break in it'],
    ['schön', 'the name "sch\\u00f6n" has a character'],
    ['"\\u202Egpj"', 'has a character that is not'],
    ['a'.repeat(33), 'is longer than 32 characters'],
    ['a/b', 'has a character'],
    ['""', 'is empty'],
    ['__proto__', '__proto__ is not a name'],
  ])('the name %s', (name, expected) =>
    expect(said(`services:\n  ${name}: { port: 80 }`)).toContain(expected),
  );
});

describe('YAML that is not plain is refused with line and column', () => {
  it.each([
    ['a: 1\na: 2', '2:1: the same key stands here twice; remove one of them'],
    ['services:\n\tshop: 1', '2:1: the line is indented with a tab; use spaces'],
    ['a: b: c', '1:4: two colons on one line'],
    ['a: 1\nb\nc: 2', '2:1: the line has no colon; write it as key: value'],
    ['a: [1, 2', 'a bracket that was opened is not closed here'],
    ['a: "b', 'a quote that was opened is not closed'],
    ['a: 1\n---\nb: 2', '2:1: a second document begins here'],
    ['a: &x 1', '1:7: &x names a value for use elsewhere'],
    ['a: &x 1\nb: *x', '2:4: *x refers to another place of the file'],
    ['a: !!binary aGk=', 'gives a value a type of its own'],
    ['a: \u0007', '1:4: a character that cannot be seen (U+0007) stands here; remove it'],
    [`a: ${'x'.repeat(2 ** 20)}`, 'the file has 1048579 characters; at most 1048576 are read'],
    ['['.repeat(5000), '1:'],
    ['- '.repeat(5000), '1:'],
  ])('%#', (text, expected) => expect(said(text)).toContain(expected));

  it('an alias bomb ends at once', () => {
    const levels = Array.from(
      { length: 20 },
      (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(9)}*a${n}]`,
    );
    expect(said(`a0: &a0 [x]\n${levels.join('\n')}`)).toContain('&a0 names a value');
  });
});

it('never throws, and every problem has a place', () => {
  const word = fc.constantFrom(
    'services',
    'shop',
    'port',
    ':',
    ' ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    '- ',
    '80',
    '"',
    '#',
    '&a',
    '*a',
    'tor',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      for (const problem of parseConfig(text, providers).problems ?? []) {
        expect(problem.line).toBeGreaterThan(0);
        expect(problem.column).toBeGreaterThan(0);
        expect(problem.message).not.toMatch(/\n|Invalid/);
      }
    }),
    { numRuns: 500 },
  );
});

it('the JSON Schema knows every key, with its description', () => {
  const schema = JSON.stringify(configJsonSchema(providers));
  for (const word of ['wireguard', 'hide-home-address', 'fallback', 'TCP port that the service listens on']) {
    expect(schema).toContain(word);
  }
  expect(configJsonSchema(providers)).toMatchObject({ additionalProperties: false, title: 'gateway.yaml' });
});
