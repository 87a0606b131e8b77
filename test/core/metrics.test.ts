import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { renderMetrics } from '../../src/core/metrics.ts';
import { device, service, status, way } from '../support/recording-control.ts';

const NOW = Date.parse('2026-01-02T03:05:00Z');
const read = (changes: Parameters<typeof status>[0]): string =>
  renderMetrics(
    {
      status: status(changes),
      certificates: [
        { name: 'pay.example.com', notAfter: '2026-02-01T00:00:00.000Z' },
        { name: 'new.example.com', notAfter: null },
      ],
      mappings: [{ state: 'held' }, { state: 'failed' }, { state: 'held' }],
    },
    NOW,
  );

it('has conditions, the way in use, probes, certificates and mappings', () => {
  const clearnet = way({ provider: 'clearnet', reachable: 'no', provedAt: null, tookMs: null });
  const shop = service('shop', { ways: [clearnet, way()] });
  const text = read({ services: [{ ...shop, fallback: { ...shop.fallback!, isFallback: true } }] });
  expect(text).toContain(
    'gateway_condition{service="shop",way="tor",condition="Reachable",status="yes"} 1\n',
  );
  expect(text).toContain('gateway_condition{service="shop",way="tor",condition="Reachable",status="no"} 0\n');
  expect(text).toContain('gateway_way_in_use{service="shop",way="tor"} 1\n');
  expect(text).toContain('gateway_way_in_use{service="shop",way="clearnet"} 0\n');
  expect(text).toContain('gateway_way_proved_timestamp_seconds{service="shop",way="tor"} 1767323040\n');
  expect(text).toContain('gateway_probe_duration_seconds{service="shop",way="tor"} 1.5\n');
  expect(text).not.toContain('gateway_probe_duration_seconds{service="shop",way="clearnet"}');
  expect(text).toContain('gateway_fallback{service="shop"} 1\n');
  expect(text).toContain('gateway_certificate_expiry_timestamp_seconds{name="pay.example.com"} 1769904000\n');
  expect(text).toContain('gateway_mappings{state="held"} 2\n');
  for (const line of text.trimEnd().split('\n')) {
    expect(line).toMatch(
      /^(# (HELP|TYPE) gateway_\w+ .+|gateway_\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? -?[\d.]+)$/,
    );
  }
});

it('counts devices, and names none of them', () => {
  const seen = {
    latestHandshake: '2026-01-02T03:04:00.000Z',
    endpoint: '11.7.0.2:4500',
    address: '10.64.8.9',
  };
  const text = read({ devices: [device('alices-phone', seen), device('bobs-phone')] });
  expect(text).toContain('gateway_devices 2\n');
  expect(text).toContain('gateway_devices_connected 1\n');
  expect(text).toContain('gateway_device_handshake_age_seconds 60\n');
  expect(text).not.toMatch(/alice|bob|11\.7\.0\.2|10\.64\.|onion/);
});

it.each(['grafana-dashboard.json', 'alert-rules.yaml'])('has everything that %s asks for', (file) => {
  const asked = readFileSync(new URL(`../../docs/monitoring/${file}`, import.meta.url), 'utf8');
  const seen = { latestHandshake: '2026-01-02T03:04:00.000Z' };
  const text = read({ devices: [device('phone', seen)] });
  const names = new Set(asked.match(/\bgateway_[a-z_]+/g));
  expect(names.size).toBeGreaterThan(4);
  for (const name of names) expect(text).toMatch(new RegExp(`^${name}[{ ]`, 'm'));
});
