import { describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { Enrolled, Generations, Handouts, PlaceReport, PlanReport, UpReport } from '../../src/api/schema.ts';
import type { Control } from '../../src/core/control.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { Status } from '../../src/core/status.ts';
import { recordingControl } from '../support/recording-control.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

function serve(replace: Partial<Control> = {}) {
  const { control, calls, world } = recordingControl(replace);
  const logged: string[] = [];
  const app = createApp(control, (_level, message, data) =>
    logged.push(`${message} ${JSON.stringify(data ?? {})}`),
  );
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await app.request(path, {
      method,
      headers: { Host: 'gateway', ...(body === undefined ? {} : JSON_TYPE), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, lines: linesOf(text), headers: response.headers };
  };
  return { ask, app, calls, world, logged };
}

function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const DRAFT = {
  name: 'shop',
  port: 80,
  kind: 'http',
  privacy: 'open',
  namespace: 'own',
  expose: { tor: {} },
};

describe('reads', () => {
  test.each([
    ['/v1/status', Status],
    ['/v1/plan', PlanReport],
    ['/v1/generations', Generations],
    ['/v1/services/shop/handouts', Handouts],
    ['/v1/services/shop/place', PlaceReport],
  ])('%s answers what its schema says, never to be cached', async (path, schema) => {
    const { status, lines, headers } = await serve().ask('GET', path);
    expect(status).toBe(200);
    expect(schema.safeParse(lines[0]).error).toBeUndefined();
    expect(headers.get('Cache-Control')).toBe('no-store');
  });

  test('events are paged by number', async () => {
    const { ask, world } = serve();
    world.events = [1, 2, 3].map((seq) => ({
      seq,
      at: '2026-01-02T03:04:05.000Z',
      type: 'config.applied',
      message: `generation ${seq}`,
      data: {},
    }));
    const { text } = await ask('GET', '/v1/events?after=1&limit=1');
    expect((JSON.parse(text) as { seq: number }[]).map((event) => event.seq)).toEqual([2]);
  });
});

describe('writes', () => {
  test('a long call tells its progress, then the result', async () => {
    const { status, lines } = await serve().ask('POST', '/v1/up');
    expect(status).toBe(200);
    expect(lines.map((line) => line['type'])).toEqual(['progress', 'progress', 'result']);
    expect(UpReport.safeParse(lines[2]?.['value']).error).toBeUndefined();
  });

  test.each([
    ['POST', '/v1/down', undefined, ['down']],
    ['POST', '/v1/services', DRAFT, ['addService', DRAFT]],
    ['PATCH', '/v1/services/shop', { port: 81 }, ['setService', 'shop', { port: 81 }]],
    ['PATCH', '/v1/services/shop', { name: 'shop', port: 81 }, ['setService', 'shop', { port: 81 }]],
    ['DELETE', '/v1/services/shop', undefined, ['removeService', 'shop']],
    ['PUT', '/v1/services/shop/expose/tor', {}, ['expose', 'shop', 'tor', {}]],
    ['PUT', '/v1/services/shop/expose/tor', { options: { a: 1 } }, ['expose', 'shop', 'tor', { a: 1 }]],
    ['DELETE', '/v1/services/shop/expose/tor', undefined, ['unexpose', 'shop', 'tor', false]],
    ['DELETE', '/v1/services/shop/expose/tor?now=true', undefined, ['unexpose', 'shop', 'tor', true]],
    ['DELETE', '/v1/exposures', undefined, ['unexposeAll', false]],
    ['DELETE', '/v1/exposures?now=true', undefined, ['unexposeAll', true]],
    [
      'POST',
      '/v1/devices',
      { name: 'phone', services: ['shop'] },
      ['addDevice', { name: 'phone', services: ['shop'] }],
    ],
    [
      'POST',
      '/v1/devices/phone/grant',
      { services: ['lnd'] },
      ['grantDevice', 'phone', { services: ['lnd'] }],
    ],
    [
      'POST',
      '/v1/devices/phone/ungrant',
      { services: [], reachedBy: [{ service: 'btcpay', port: 8080 }] },
      ['ungrantDevice', 'phone', { services: [], reachedBy: [{ service: 'btcpay', port: 8080 }] }],
    ],
    [
      'POST',
      '/v1/devices/phone/tokens',
      { service: 'lnd', rights: 'pay' },
      ['mintToken', 'phone', 'lnd', 'pay'],
    ],
    ['POST', '/v1/devices/phone/renew', undefined, ['renewDevice', 'phone']],
    ['DELETE', '/v1/devices/phone', undefined, ['revokeDevice', 'phone', false]],
    ['DELETE', '/v1/devices/phone?gently=true', undefined, ['revokeDevice', 'phone', true]],
    ['POST', '/v1/rollback', {}, ['rollback', undefined]],
    ['POST', '/v1/rollback', { generation: 2 }, ['rollback', 2]],
  ])('%s %s is passed on as it was said', async (method, path, body, call) => {
    const { ask, calls } = serve();
    const { status, lines } = await ask(method, path, body);
    expect([status, lines.at(-1)?.['type']]).toEqual([200, 'result']);
    expect(calls).toEqual([call]);
  });

  test('the answer to adding a device is what the schema says', async () => {
    const { lines } = await serve().ask('POST', '/v1/devices', { name: 'phone', services: ['shop'] });
    expect(Enrolled.safeParse(lines[0]?.['value']).error).toBeUndefined();
  });

  test('what was begun goes on when the caller hangs up', async () => {
    const gate = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<string>();
    const { app } = serve({
      up: async (progress, signal) => {
        progress('begun');
        await gate.promise;
        progress('nobody hears this');
        finished.resolve(signal.aborted ? 'aborted' : 'applied');
        return { changes: [], problems: [], generation: 1, services: 1, failed: [], notices: [] };
      },
    });
    const caller = new AbortController();
    const response = await app.request('/v1/up', {
      method: 'POST',
      headers: { Host: 'gateway' },
      signal: caller.signal,
    });
    await response.body?.cancel();
    caller.abort();
    gate.resolve();
    expect(await finished.promise).toBe('applied');
  });
});

describe('failures', () => {
  const refused = new GatewayError('there is no service "shop"', {
    code: 'ServiceUnknown',
    hint: 'see gateway service list',
  });

  test('a failure before any progress has a status of its own', async () => {
    const { status, lines } = await serve({ removeService: () => Promise.reject(refused) }).ask(
      'DELETE',
      '/v1/services/shop',
    );
    expect(status).toBe(404);
    expect(lines).toEqual([
      { code: 'ServiceUnknown', message: 'there is no service "shop"', hint: 'see gateway service list' },
    ]);
  });

  test('a failure after progress is the last line', async () => {
    const up: Control['up'] = (progress) => {
      progress('looking');
      return Promise.reject(refused);
    };
    const { status, lines } = await serve({ up }).ask('POST', '/v1/up');
    expect(status).toBe(200);
    expect(lines[1]).toMatchObject({ type: 'error', code: 'ServiceUnknown' });
  });

  test.each([
    ['GET', '/v1/status'],
    ['POST', '/v1/up'],
  ])('a bug of ours leaks nothing through %s %s, and is logged', async (method, path) => {
    const bug = () => Promise.reject(new TypeError('secret-key-material'));
    const { ask, logged } = serve({ status: bug, up: bug });
    const { status, text, lines } = await ask(method, path);
    expect(status).toBe(500);
    expect(lines[0]?.['code']).toBe('Internal');
    expect(text).not.toContain('secret-key-material');
    expect(logged.join()).toMatch(/secret-key-material.*app\.test\.ts/);
  });
});

describe('strictness: a request that is refused never reaches the gateway', () => {
  const big = JSON.stringify({ ...DRAFT, expose: { tor: 'x'.repeat(1024 * 1024) } });
  test.each<[string, string, string, unknown, Record<string, string>, number]>([
    ['Origin', 'POST', '/v1/up', undefined, { Origin: 'http://evil.example' }, 403],
    ['Origin null', 'POST', '/v1/up', undefined, { Origin: 'null' }, 403],
    ['Referer', 'GET', '/v1/status', undefined, { Referer: 'http://evil.example/' }, 403],
    ['a rebound Host', 'GET', '/v1/status', undefined, { Host: 'evil.example' }, 403],
    ['Host with port', 'GET', '/v1/status', undefined, { Host: 'gateway:80' }, 403],
    [
      'a form',
      'POST',
      '/v1/services',
      'name=shop',
      { 'Content-Type': 'application/x-www-form-urlencoded' },
      415,
    ],
    ['plain text', 'POST', '/v1/services', JSON.stringify(DRAFT), { 'Content-Type': 'text/plain' }, 415],
    ['a typed body where none belongs', 'POST', '/v1/up', { now: true }, {}, 400],
    ['a body on DELETE', 'DELETE', '/v1/services/shop', { now: true }, {}, 400],
    ['a body over 1 MiB', 'POST', '/v1/services', big, {}, 413],
    ['broken JSON', 'POST', '/v1/services', '{"name":', {}, 400],
    ['an unknown field', 'POST', '/v1/services', { ...DRAFT, publc: true }, {}, 400],
    [
      'an unknown nested field',
      'POST',
      '/v1/services',
      { ...DRAFT, namespace: { name: 'a', x: 1 } },
      {},
      400,
    ],
    ['a missing field', 'POST', '/v1/devices', { name: 'phone' }, {}, 400],
    ['no services', 'POST', '/v1/devices', { name: 'phone', services: [] }, {}, 400],
    [
      'rights that there are not',
      'POST',
      '/v1/devices/phone/tokens',
      { service: 'lnd', rights: 'all' },
      {},
      400,
    ],
    ['nothing to grant', 'POST', '/v1/devices/phone/grant', { services: [] }, {}, 400],
    ['a name with a slash', 'POST', '/v1/services', { ...DRAFT, name: '../etc' }, {}, 400],
    ['a path name with a slash', 'DELETE', '/v1/services/..%2Fetc', undefined, {}, 400],
    ['an option as name', 'DELETE', '/v1/devices/-rf', undefined, {}, 400],
    ['a port out of range', 'PATCH', '/v1/services/shop', { port: 65536 }, {}, 400],
    ['another name in the body', 'PATCH', '/v1/services/shop', { name: 'other', port: 1 }, {}, 400],
    ['another service in the body', 'PUT', '/v1/services/shop/expose/tor', { service: 'other' }, {}, 400],
    ['another provider in the body', 'PUT', '/v1/services/shop/expose/tor', { provider: 'relay' }, {}, 400],
    ['an unknown parameter', 'DELETE', '/v1/services/shop/expose/tor?force=true', undefined, {}, 400],
    ['now=yes', 'DELETE', '/v1/services/shop/expose/tor?now=yes', undefined, {}, 400],
    ['a parameter twice', 'GET', '/v1/events?after=1&after=2', undefined, {}, 400],
    ['a negative number', 'GET', '/v1/events?after=-1', undefined, {}, 400],
    ['an unknown path', 'GET', '/v2/status', undefined, {}, 404],
    ['a wrong method', 'GET', '/v1/up', undefined, {}, 404],
  ])('%s', async (_case, method, path, body, headers, expected) => {
    const { ask, calls } = serve();
    const { status, lines } = await ask(method, path, body, headers);
    expect(status).toBe(expected);
    expect(lines[0]).toMatchObject({ code: 'InvalidRequest' });
    expect(calls).toEqual([]);
  });

  test('a request without Host is refused', async () => {
    expect((await serve().app.request('/v1/status')).status).toBe(403);
  });
});

test('the OpenAPI document names every path, and every failure has the same shape', async () => {
  const { text } = await serve().ask('GET', '/v1/openapi.json');
  const document = JSON.parse(text) as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses }]) => ({ call: `${method} ${path}`, responses })),
  );
  expect(operations.length).toBe(42);
  for (const { responses } of operations) expect(responses).toHaveProperty('default');
});
