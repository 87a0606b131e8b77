import { describe, expect, test } from 'vitest';
import { renderStatus } from '../../src/cli/render.ts';
import type { FallbackStatus } from '../../src/core/status.ts';
import { painter } from '../../src/cli/table.ts';
import { renderDevices } from '../../src/cli/render-lists.ts';
import { condition, device, service, status, way } from '../support/recording-control.ts';

const fallbackOf = (...order: string[]) =>
  ({ ...service('any').fallback, order, way: order[0] ?? '' }) as FallbackStatus;
const view = { columns: 80, paint: painter(false), now: Date.parse('2026-01-02T04:00:00Z') };
const wireguard = way({
  provider: 'wireguard',
  address: 'http://10.64.1.2:80',
  reachable: 'unknown',
  vantage: 'none',
  provedAt: null,
  phase: 'pending',
  conditions: [condition('Reachable', 'unknown', 'no device has shaken hands yet')],
});

describe('status', () => {
  test('worst first, every row says why it is not green, long addresses whole on a line of their own', () => {
    const services = [
      service('shop', {
        ways: [way(), wireguard],
        fallback: fallbackOf('wireguard', 'tor'),
        phase: 'pending',
      }),
      service('nas', {
        isolated: false,
        phase: 'down',
        ways: [
          way({
            reachable: 'no',
            provedAt: '2026-01-01T22:10:00.000Z',
            conditions: [
              condition('Programmed', 'yes', 'fine'),
              condition('Reachable', 'no', 'the visit through Tor timed out'),
            ],
          }),
        ],
      }),
    ];
    const text = renderStatus(status({ services, notices: ['tor is bootstrapping, 45 %'] }), view);
    expect(text).toMatchInlineSnapshot(`
      "SERVICE  STATE    IN USE     VANTAGE  PROVED                ADDRESS
      nas      down     tor        tor      2026-01-01 22:10 UTC
        http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad.onion
        the visit through Tor timed out
        not isolated: it has no network namespace of its own
      shop     pending  wireguard  –        –                     http://10.64.1.2:80
        no device has shaken hands yet
        tor  yes  tor  03:04:00 UTC
          http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad.onion

      ! tor is bootstrapping, 45 %"
    `);
  });

  test('when another way took over it says instead of which, why, and how every other way is', () => {
    const clearnet = way({
      provider: 'clearnet',
      address: 'https://pay.example.com',
      reachable: 'no',
      vantage: 'relay',
      provedAt: null,
      phase: 'down',
      conditions: [condition('Reachable', 'no', 'TCP 11.2.0.2:443 does not answer')],
    });
    const fallback = {
      ...fallbackOf('clearnet', 'tor'),
      isFallback: true,
      way: 'tor',
      why: 'clearnet: TCP 11.2.0.2:443 does not answer',
    };
    const services = [
      service('wiki'),
      service('shop', { ways: [clearnet, wireguard, way()], fallback, phase: 'degraded' }),
    ];
    expect(renderStatus(status({ services }), { ...view, columns: 100 })).toMatchInlineSnapshot(`
      "SERVICE  STATE     IN USE  VANTAGE  PROVED        ADDRESS
      shop     fallback  tor     tor      03:04:00 UTC
        http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad.onion
        took over at 03:00:00 UTC; clearnet: TCP 11.2.0.2:443 does not answer
        clearnet  no  https://pay.example.com
          TCP 11.2.0.2:443 does not answer
        wireguard  unknown  http://10.64.1.2:80
          no device has shaken hands yet
      wiki     up        tor     tor      03:04:00 UTC
        http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad.onion"
    `);
  });

  test('without services it says how to add one', () => {
    expect(renderStatus(status({ services: [] }), view)).toMatchInlineSnapshot(`
      "No services yet.
      next: gateway service add NAME --port PORT"
    `);
  });

  test('no line is wider than 80 columns with an onion address', () => {
    const lines = renderStatus(status(), view).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test('devices say what they reach and what reaches them', () => {
    const site = device('webshop', {
      services: ['btcpay', 'lnd'],
      reachedBy: [{ service: 'btcpay', port: 8080 }],
    });
    const text = renderStatus(status({ devices: [site, device('phone')] }), view);
    expect(text).toContain('  webshop reaches btcpay, lnd; reached by btcpay:8080\n  phone reaches shop');
    const many = Array.from({ length: 9 }, (_, index) => device(`phone${index}`));
    expect(renderStatus(status({ devices: many }), view)).not.toContain('phone3');
    expect(renderDevices([site], view.now)).toMatch(
      /^DEVICE +REACHES +REACHED BY .*\nwebshop +btcpay, lnd +btcpay:8080 /,
    );
  });

  test('colours say the same as the words', () => {
    const text = renderStatus(status({ services: [service('shop', { ways: [wireguard, way()] })] }), {
      ...view,
      paint: painter(true),
    });
    expect(text).toContain('\u001b[32mup\u001b[0m');
    expect(text).toContain('\u001b[33munknown\u001b[0m');
  });
});
