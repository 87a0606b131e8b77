import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  addService,
  removeExposure,
  removeService,
  setExposure,
  setService,
  type ServiceDraft,
} from '../../src/core/config-edit.ts';
import { parseConfig, type Config } from '../../src/core/config.ts';

const providers = ['tor', 'wireguard'].map((id) => ({
  id,
  options: z.strictObject({ port: z.int().optional() }),
  settings: z.looseObject({}),
}));

function read(text: string): Config {
  const parsed = parseConfig(text, providers);
  if (parsed.config === undefined) throw new Error(`${JSON.stringify(parsed.problems)}\n${text}`);
  return parsed.config;
}

const draft = (name: string, change: Partial<ServiceDraft> = {}): ServiceDraft => ({
  name,
  port: 8080,
  kind: 'http',
  privacy: 'open',
  namespace: 'own',
  expose: { tor: {} },
  ...change,
});

const FILE = `# my gateway
wireguard: { port: 51820 }   # the router forwards this

services:
  # the shop
  shop:
    port:   8080   # not 80
    expose:
      tor: {}
      wireguard:   # phones
    fallback: [tor]

  # the node, be careful
  lnd:
    port: 10009
    privacy: tor-only
    expose: {tor: {port: 80}}
    # last remark

# the end
`;

describe('adding a service', () => {
  it('to nothing starts the file with a comment', () => {
    const text = addService('', draft('shop'));
    expect(text).toMatch(/^# .*gateway up.*\n/);
    expect(text).toContain(
      'services:\n  shop:\n    port: 8080\n    kind: http\n    privacy: open\n    expose:\n      tor: {}\n',
    );
    expect(read(text).services).toHaveLength(1);
  });

  it('changes no other byte', () => {
    const text = addService(FILE, draft('site', { expose: { tor: { port: 80 } } }));
    const added =
      '\n  site:\n    port: 8080\n    kind: http\n    privacy: open\n    expose:\n      tor: { port: 80 }';
    expect(text).toBe(FILE.replace('# last remark', (line) => `${line}${added}`));
    expect(read(text).services.map(({ name }) => name)).toEqual(['shop', 'lnd', 'site']);
  });

  it.each([
    ['services:\n', 'services:\n  a:\n'],
    ['services: # none yet\n', 'services: # none yet\n  a:\n'],
    ['services: {}\n', 'services:\n  a:\n'],
    ['services: {b: {port: 1}}\n', 'services: {b: {port: 1}, a: {'],
    ['services:\n    b:\n        port: 1\n', '        port: 1\n    a:\n        port: 8080\n'],
    ['services:\n  b:\n    port: 1', '    port: 1\n  a:\n    port: 8080'],
    ['services:\r\n  b:\r\n    port: 1\r\n', '  b:\r\n    port: 1\r\n  a:\r\n    port: 8080\r\n'],
    ['# only this', '# only this\nservices:\n  a:\n'],
    ['instance: ab\n', 'instance: ab\nservices:\n  a:\n'],
  ])('to %j', (before, part) => {
    const text = addService(before, draft('a'));
    expect(text.replaceAll('{ ', '{')).toContain(part);
    expect(read(text).services.at(-1)).toMatchObject({
      name: 'a',
      port: 8080,
      kind: 'http',
      expose: { tor: {} },
    });
  });

  it.each([
    ['host', { type: 'host' }, 8080],
    [{ name: 'other' }, { type: 'namespace', name: 'other' }, 8080],
    [{ target: '192.168.1.20:443' }, { type: 'target', host: '192.168.1.20' }, 443],
    [{ target: '[fd00::1]:443' }, { type: 'target', host: 'fd00::1' }, 443],
    [{ target: '192.168.1.20' }, { type: 'target', host: '192.168.1.20' }, 8080],
  ] as const)('that is at %j', (namespace, place, port) => {
    expect(read(addService('', draft('a', { namespace }))).services[0]).toMatchObject({ place, port });
  });

  it('that exists is refused', () => {
    expect(() => addService(FILE, draft('shop'))).toThrow(expect.objectContaining({ code: 'AlreadyExists' }));
  });

  it('to a file with a mistake is refused', () => {
    expect(() => addService('services: [', draft('a'))).toThrow(
      expect.objectContaining({ code: 'ConfigInvalid' }),
    );
    expect(() => addService('- a', draft('a'))).toThrow(expect.objectContaining({ code: 'ConfigInvalid' }));
  });
});

describe('changing a service', () => {
  it('replaces the value and keeps the spacing and the comment', () => {
    expect(setService(FILE, 'shop', { port: 80 })).toBe(FILE.replace('port:   8080 ', 'port:   80 '));
    expect(setService(FILE, 'lnd', { privacy: 'open' })).toBe(FILE.replace('tor-only', 'open'));
    const leaving = setService(FILE, 'lnd', { egress: 'tor' });
    expect(leaving).toContain('egress: tor');
    expect(setService(leaving, 'lnd', { egress: 'none' })).toBe(
      leaving.replace('egress: tor', 'egress: none'),
    );
  });

  it('isolation is one line more or less', () => {
    const text = setService(FILE, 'shop', { isolated: false });
    expect(text).toBe(FILE.replace('fallback: [tor]', '$&\n    namespace: host'));
    expect(setService(text, 'shop', { isolated: true })).toBe(FILE);
  });

  it('on another machine: the port is in the target, and it cannot be isolated', () => {
    const text = 'services:\n  s: { target: "10.0.0.1:80" } # nas\n';
    expect(setService(text, 's', { port: 81 })).toBe('services:\n  s: { target: 10.0.0.1:81 } # nas\n');
    expect(() => setService(text, 's', { isolated: true })).toThrow('another machine');
  });
});

describe('ways in', () => {
  it('are added and taken away', () => {
    const added = setExposure(FILE, 'lnd', 'wireguard', {});
    expect(added).toBe(FILE.replace('{tor: {port: 80}}', '{tor: {port: 80}, wireguard: {}}'));
    expect(removeExposure(added, 'lnd', 'wireguard')).toBe(FILE);
    expect(setExposure(FILE, 'shop', 'tor', { port: 81 })).toBe(FILE.replace('tor: {}', 'tor: { port: 81 }'));
    const closed = setExposure(FILE, 'shop', 'tor', { authorization: 'required', port: 81 });
    // What says who is let in stays until somebody says otherwise.
    expect(setExposure(closed, 'shop', 'tor', { port: 82 })).toBe(
      FILE.replace('tor: {}', 'tor: { authorization: required, port: 82 }'),
    );
    expect(setExposure(closed, 'shop', 'tor', { authorization: 'none' })).toBe(
      FILE.replace('tor: {}', 'tor: { authorization: none }'),
    );
    expect(removeExposure(FILE, 'shop', 'wireguard')).toBe(FILE.replace('      wireguard:   # phones\n', ''));
    expect(setExposure('services:\n  a:\n    port: 1\n', 'a', 'tor', {})).toBe(
      'services:\n  a:\n    port: 1\n    expose:\n      tor: {}\n',
    );
  });

  it('that go also go from the list of those that take over', () => {
    const text = removeExposure(FILE, 'shop', 'tor');
    expect(read(text).services[0]).toMatchObject({ expose: { wireguard: {} }, fallback: ['wireguard'] });
    expect(text).toContain('wireguard:   # phones');
  });

  it('that are not there are refused', () => {
    expect(() => removeExposure(FILE, 'lnd', 'wireguard')).toThrow('lnd is not exposed through wireguard');
    expect(() => setExposure(FILE, 'nobody', 'tor', {})).toThrow(
      expect.objectContaining({ code: 'ServiceUnknown' }),
    );
  });
});

describe('removing a service', () => {
  it('takes its lines and its comment, and leaves the rest', () => {
    expect(removeService(FILE, 'lnd')).toBe(FILE.replace(/ {2}# the node[^]*# last remark\n\n/, ''));
    expect(removeService(removeService(FILE, 'lnd'), 'shop')).toContain('services: {}');
    expect(() => removeService(FILE, 'nobody')).toThrow(expect.objectContaining({ code: 'ServiceUnknown' }));
  });

  it('right after it was added leaves the file as it was', () => {
    expect(removeService(addService(FILE, draft('site')), 'site')).toBe(FILE);
  });
});

const portOf = (id: string): number => id.charCodeAt(0);

/** Each edit, and what must hold for the service afterwards. */
const EDITS = {
  add: (text: string, id: string) => ({
    edit: () => addService(text, draft(id, { port: portOf(id) })),
    holds: expect.objectContaining({ port: portOf(id), kind: 'http' }),
  }),
  remove: (text: string, id: string) => ({ edit: () => removeService(text, id), holds: undefined }),
  port: (text: string, id: string) => ({
    edit: () => setService(text, id, { port: portOf(id) + 900 }),
    holds: expect.objectContaining({ port: portOf(id) + 900 }),
  }),
  off: (text: string, id: string) => ({
    edit: () => setService(text, id, { isolated: false }),
    holds: expect.objectContaining({ place: { type: 'host' } }),
  }),
  on: (text: string, id: string) => ({
    edit: () => setService(text, id, { isolated: true }),
    holds: expect.objectContaining({ place: { type: 'namespace', name: id } }),
  }),
  expose: (text: string, id: string) => ({
    edit: () => setExposure(text, id, 'tor', { port: 7 }),
    holds: expect.objectContaining({ expose: { tor: { port: 7 } } }),
  }),
  unexpose: (text: string, id: string) => ({
    edit: () => removeExposure(text, id, 'tor'),
    holds: expect.objectContaining({ expose: {} }),
  }),
};

it('every edit means what it says and keeps every comment of the others, in any layout', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const layout = fc.constantFrom(
    (id: string) => `  ${id}:\n    port: ${portOf(id)} # c-${id}\n`,
    (id: string) => `  ${id}: { port: ${portOf(id)} } # c-${id}\n`,
    (id: string) =>
      `\n  # h-${id}\n  ${id}:\n    # c-${id}\n    port: ${portOf(id)}\n    expose:\n      tor:\n\n`,
    (id: string) => `  ${id}:\n    expose: {tor: {}}\n    port: ${portOf(id)}\n    # c-${id}\n`,
    (id: string) =>
      `  "${id}":\n    port:\n      ${portOf(id)}\n    expose: {}   # c-${id}\n    fallback:\n      []\n`,
  );
  const files = fc.uniqueArray(fc.tuple(name, layout), { selector: ([id]) => id, maxLength: 4 });
  const edit = fc.record({
    name,
    kind: fc.constantFrom(...(Object.keys(EDITS) as (keyof typeof EDITS)[])),
  });
  fc.assert(
    fc.property(files, fc.array(edit, { maxLength: 8 }), fc.boolean(), (services, edits, isCrlf) => {
      const start = `# top\nservices:\n${services.map(([id, write]) => write(id)).join('')}# bottom\n`;
      let text = isCrlf ? start.replaceAll('\n', '\r\n') : start;
      for (const { name: id, kind } of edits) {
        const before = new Map(read(text).services.map((service) => [service.name, service]));
        const exists = before.get(id);
        if ((kind === 'add') === (exists !== undefined)) continue;
        if (kind === 'unexpose' && !Object.hasOwn(exists?.expose ?? {}, 'tor')) continue;
        const { edit: change, holds } = EDITS[kind](text, id);
        const next = change();
        const after = new Map(read(next).services.map((service) => [service.name, service]));
        for (const [other, service] of before) if (other !== id) expect(after.get(other)).toEqual(service);
        expect(after.get(id)).toEqual(holds);
        const marks = [...before.keys()].filter((other) => other !== id && text.includes(`# c-${other}`));
        for (const other of marks) expect(next).toContain(`# c-${other}`);
        expect(next).toContain('# top');
        expect(next).toContain('# bottom');
        if (isCrlf) expect(next.replaceAll('\r\n', '')).not.toContain('\n');
        text = next;
      }
    }),
    { numRuns: 300 },
  );
});

it('changes what a service may connect to, and forgets who is removed', () => {
  const text = 'services:\n  shop: # ours\n    port: 80\n  btcpay:\n    port: 81\n  lnd:\n    port: 82\n';
  const both = setService(text, 'shop', { upstreams: ['btcpay', 'lnd'] });
  expect(read(both).services[0]?.upstreams).toEqual(['btcpay', 'lnd']);
  const one = removeService(both, 'lnd');
  expect(read(one).services[0]?.upstreams).toEqual(['btcpay']);
  expect(read(removeService(one, 'btcpay')).services).toHaveLength(1);
  expect(setService(both, 'shop', { upstreams: [] })).toBe(text);
});
