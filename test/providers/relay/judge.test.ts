import { describe, expect, it } from 'vitest';
import { judgeName } from '../../../providers/relay/name.ts';
import { judgeVisit } from '../../../providers/relay/prove.ts';
import { carryTrouble } from '../../../providers/relay/published.ts';
import { judgeTunnels, verdictsOn } from '../../../providers/relay/tunnels.ts';
import type { SeenRelay } from '../../../providers/relay/observe.ts';
import type { RelayVisited } from '../../../src/core/carrier.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';

const relays = [{ name: 'vps', addresses: ['11.1.0.2'] }];

describe('the name', () => {
  it.each([
    ['cannot be looked up', undefined, 'unknown', 'NameUnknown'],
    ['is not set', [], 'wrong', 'NameMissing'],
    ['leads to the relay', ['11.1.0.2'], 'right', 'NameRight'],
    ['leads to the relay and elsewhere', ['11.1.0.2', '11.7.0.1'], 'wrong', 'NameElsewhere'],
    ['leads elsewhere', ['11.7.0.1'], 'wrong', 'NameElsewhere'],
    ['has an IPv6 address that is not the relay', ['11.1.0.2', '2001:db8::1'], 'wrong', 'NameElsewhere'],
    ['has an answer of this network alone', ['192.168.1.7'], 'unknown', 'NameInside'],
  ] as const)('%s', (_what, addresses, status, reason) => {
    const judged = judgeName({ domain: 'a.test', addresses, relays, home: [], isKept: false });
    expect(judged).toMatchObject({ status, reason });
    const advice = 'set this DNS record at whoever keeps the domain: name a.test, type A, value 11.1.0.2';
    expect(judged.advice).toBe(status === 'wrong' ? advice : undefined);
    expect(judgeName({ domain: 'a.test', addresses, relays, home: [], isKept: true }).advice).toBeUndefined();
  });
});

it('a name may lead to the home as well, where that is a way in; but to the relay in any case', () => {
  const judge = (addresses: string[], home: string[] = ['11.2.0.2']) =>
    judgeName({ domain: 'a.test', addresses, relays, home, isKept: false }).status;
  expect(judge(['11.1.0.2', '11.2.0.2'])).toBe('right');
  expect(judge(['11.1.0.2', '11.2.0.2'], [])).toBe('wrong');
  expect(judge(['11.2.0.2'])).toBe('wrong');
  expect(judge(['11.1.0.2', '11.2.0.2', '11.7.0.1'])).toBe('wrong');
});

describe('what comes by a relay', () => {
  const well = { running: true, granted: true, tunnel: 'up' };
  it.each([
    ['nothing speaks against it', {}, undefined],
    ['HAProxy is down', { running: false }, 'EdgeNotRunning'],
    ['its ports are taken', { shut: 'nginx has it' }, 'EdgePortTaken'],
    ['the relay refuses', { granted: false, refusal: 'no' }, 'RelayRefused'],
    ['the tunnel is silent', { tunnel: 'silent', silent: 'no' }, 'TunnelSilent'],
  ] as const)('when %s', (_what, change, reason) => {
    expect(carryTrouble({ ...well, ...change })?.reason).toBe(reason);
  });

  it('was not asked for yet', () => {
    expect(carryTrouble({ running: true, tunnel: 'up' })?.reason).toBe('RelayNotAsked');
  });

  const seen = (name: string, latestHandshake: number, why?: string): SeenRelay =>
    ({
      name,
      addresses: [],
      seen: { latestHandshake, endpoint: '11.1.0.2:51820' },
      kept: {
        said: { names: [{ name: 'a.test', granted: why === undefined, why }], ports: [], devicesPort: null },
      },
    }) as unknown as SeenRelay;

  it('is up while one of its tunnels is, and granted when one relay grants it', () => {
    const both = [seen('a', 0, 'taken\u001b[2J'), seen('b', 990)];
    expect(judgeTunnels(both, 1_000_000)).toMatchObject({
      tunnel: 'up',
      silent: expect.stringContaining('relay a '),
    });
    expect(judgeTunnels([seen('a', 700)], 1_000_000)).toMatchObject({ tunnel: 'silent' });
    const first = (said: Parameters<Parameters<typeof verdictsOn>[1]>[0]) => said.names[0];
    expect(verdictsOn(both, first)).toEqual({ granted: true });
    const refused = verdictsOn([seen('a', 0, 'taken\u001b[2J')], first);
    expect(refused).toEqual({ granted: false, refusal: 'the relay a refuses: taken?[2J' });
  });
});

describe('a visit to the relay', () => {
  const page = {
    domain: 'a.test',
    relay: 'vps',
    address: '11.1.0.2',
    port: 443,
    fingerprint: 'ab',
    isNameRight: true,
  };
  const judge = (outcome: RelayVisited['outcome'], answer: readonly number[] = []) =>
    judgeVisit({ outcome, answer: Uint8Array.from(answer) }, page, new Uint8Array(32), {
      crypto: nodeCrypto,
      now: () => 0,
    });
  it.each([
    ['could not be made', judge('failed'), 'unknown', 'could not be visited'],
    ['found the port closed', judge('refused'), 'no', 'is closed'],
    ['heard nothing', judge('silent'), 'no', 'does not answer'],
    ['was refused by an alert', judge('answered', [21, 3, 3, 0, 2, 2, 112]), 'no', 'unrecognized_name'],
    ['heard no TLS', judge('answered', [72, 84, 84, 80, 47]), 'no', 'does not bring visitors'],
  ] as const)('that %s', (_what, verdict, reachable, detail) => {
    expect(verdict.reachable).toBe(reachable);
    expect(verdict.detail).toContain(detail);
  });
});
