import { expect, it } from 'vitest';
import { redact } from '../../src/doctor/redact.ts';
import { Report, SCHEMA } from '../../src/doctor/types.ts';

const onion = `${'a2'.repeat(28)}.onion`;
const key = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=';
const raw = {
  status: {
    services: [{ name: 'shop', address: '10.64.1.2', ways: [{ url: `http://${onion}` }] }],
    devices: [{ name: 'anna-phone', publicKey: key, endpoint: '[2a01:4f8::17]:4711' }],
  },
};

function reportWith(title: string): Report {
  return Report.parse({
    schema: SCHEMA,
    time: '2026-01-01T00:00:00.000Z',
    durationMs: 1,
    mode: 'quick',
    verdict: { reachable: { clearnet: 'no', wireguard: null, onion: 'yes', relay: null } },
    nat: null,
    checks: [],
    findings: [
      {
        code: 'WAY_CLEARNET',
        severity: 'error',
        title,
        seen: `shop at pay.anna.example is 203.0.113.7, its router 192.168.1.1 is 100.72.0.9, not 203.0.113.7`,
        because: ['gateway.status'],
        dependsOn: [],
        fix: [{ text: 'see /home/anna/notes', who: 'you' }],
        verify: 'gateway status',
      },
    ],
    evidence: [{ id: 'gateway.status', method: 'api', at: '2026-01-01T00:00:00.000Z', raw }],
    changes: [],
  });
}

it('leaves no address, name or key, and keeps apart what is apart', () => {
  const redacted = redact(reportWith('Not reachable: shop, by network-test.debian.org or gateway.yaml'));
  const [finding] = redacted.findings;
  expect(finding?.title).toBe('Not reachable: <service-1>, by network-test.debian.org or gateway.yaml');
  expect(finding?.seen).toBe(
    '<service-1> at <host-1> is <public-address-1>, its router <home-address-1> is <shared-address-1>, not <public-address-1>',
  );
  expect(finding?.fix[0]?.text).toBe('see /home/<user-1>/notes');
  expect(finding?.code).toBe('WAY_CLEARNET');
  const all = JSON.stringify(redacted);
  for (const secret of [
    'anna',
    '203.0.113.7',
    '192.168.1.1',
    '10.64.1.2',
    '2a01:4f8',
    onion.slice(0, 20),
    key,
  ])
    expect(all).not.toContain(secret);
  expect(Report.parse(redacted).evidence[0]?.at).toBe('2026-01-01T00:00:00.000Z');
});

it('takes the same thing for the same everywhere', () => {
  const redacted = JSON.stringify(redact(reportWith('203.0.113.7')));
  expect(redacted.match(/<public-address-1>/g)).toHaveLength(3);
  expect(redacted).toContain('[<public-address-2>]:4711');
});
