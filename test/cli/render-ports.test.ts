import { expect, it } from 'vitest';
import { renderPorts } from '../../src/cli/render-ports.ts';
import type { PortsReport } from '../../src/core/mapper.ts';

const NOW = Date.parse('2026-01-02T03:00:00.000Z');
const HELD: PortsReport['mappings'][number] = {
  transport: 'udp',
  port: 51_820,
  state: 'held',
  protocol: 'nat-pmp',
  router: '192.168.1.1',
  externalAddress: '11.2.0.2',
  externalPort: 40_000,
  renewedAt: '2026-01-02T02:50:00.000Z',
  expiresAt: '2026-01-02T03:50:00.000Z',
  problem: null,
  hint: null,
  provedAt: '2026-01-02T02:59:00.000Z',
};

it('shows what the router opened, and what it lists of others without their control characters', () => {
  const table = [
    {
      transport: 'tcp' as const,
      externalPort: 8443,
      internalAddress: '192.168.1.9',
      internalPort: 443,
      description: 'a\u001b[31mcamera',
      lifetimeSeconds: 0,
      isOurs: false,
    },
  ];
  const text = renderPorts(
    { mappings: [HELD], router: '192.168.1.1', through: [], table, canary: null },
    NOW,
  );
  expect(text).toBe(
    `PORT       STATE  OUTSIDE         ROUTER       BY       LEASE LEFT  PROVED
UDP 51820  held   11.2.0.2:40000  192.168.1.1  NAT-PMP  50 min      02:59:00 UTC

The router 192.168.1.1 lists:
OUTSIDE   LEADS TO         LEFT    BY
TCP 8443  192.168.1.9:443  no end  acamera`,
  );
});

it('says what is wrong and what to do', () => {
  const failed = { ...HELD, state: 'failed' as const, protocol: null, router: null, provedAt: null };
  const mapping = { ...failed, externalPort: null, problem: 'the router said no', hint: 'switch on UPnP' };
  const text = renderPorts(
    { mappings: [mapping], router: '192.168.1.1', through: [], table: null, canary: null },
    NOW,
  );
  expect(text).toContain('UDP 51820  failed  –');
  expect(text).toContain('! the router said no\n  next: switch on UPnP');
  expect(text).toContain('cannot be asked what others have mapped');
  expect(renderPorts({ mappings: [], router: null, through: [], table: null, canary: null }, NOW)).toContain(
    'no router',
  );
});
