import { describe, expect, it } from 'vitest';
import { judgeRelayed, judgeVisited } from '../../../providers/wireguard/reach-relayed.ts';
import { chooseWay, noteOwnWay, relayedBy, verdictOn } from '../../../providers/wireguard/relayed.ts';
import type { KeptCarry } from '../../../src/core/carrier.ts';
import type { Home } from '../../../src/core/ports.ts';

const kept: KeptCarry = {
  relay: 'vps',
  asked: { names: [], ports: [], devices: true },
  devices: { endpoint: '11.1.0.2:51821', tunnelMtu: 1420 },
};
const RELAYED = { relay: 'vps', endpoint: '11.1.0.2:51821', mtu: 1340 };
const OWN = { endpoint: '11.2.0.2:40000' };
const UNKNOWN = { problem: 'another NAT stands in front' };

describe('what devices are told', () => {
  it('is known of a relay that granted a port, with a size that fits into its tunnel', () => {
    expect(relayedBy([kept])).toEqual(RELAYED);
    expect(relayedBy([{ ...kept, devices: { endpoint: 'a:1', tunnelMtu: 1280 } }])?.mtu).toBe(1280);
    const { devices: _port, ...refused } = kept;
    expect(relayedBy([refused])).toBeUndefined();
    expect(relayedBy([{ ...kept, asked: { ...kept.asked, devices: false } }])).toBeUndefined();
  });

  it.each([
    ["the owner's own word", OWN, { isConfigured: true, relayed: RELAYED, verdict: 'no' }, OWN],
    [
      'nothing, without a relay',
      UNKNOWN,
      { isConfigured: false, relayed: undefined, verdict: 'unknown' },
      UNKNOWN,
    ],
    ['a shut way, without a relay', OWN, { isConfigured: false, relayed: undefined, verdict: 'no' }, OWN],
    ['the home, once proved', OWN, { isConfigured: false, relayed: RELAYED, verdict: 'yes' }, OWN],
    ['the home, not visited yet', OWN, { isConfigured: false, relayed: RELAYED, verdict: 'unknown' }, OWN],
    [
      'the relay, where a visit failed',
      OWN,
      { isConfigured: false, relayed: RELAYED, verdict: 'no' },
      { endpoint: RELAYED.endpoint, relayed: RELAYED },
    ],
    [
      'the relay, where the home is nowhere',
      UNKNOWN,
      { isConfigured: false, relayed: RELAYED, verdict: 'unknown' },
      { endpoint: RELAYED.endpoint, relayed: RELAYED },
    ],
  ] as const)('is %s', (_what, own, known, told) => {
    expect(chooseWay(own, known)).toEqual(told);
  });

  it('goes by the last visit that found something out, at this very endpoint', () => {
    const home: Home = { addresses: () => [], cameIn: () => undefined };
    noteOwnWay(home, 'a:1', 'no');
    noteOwnWay(home, 'a:1', 'unknown');
    expect([verdictOn(home, 'a:1'), verdictOn(home, 'b:1')]).toEqual(['no', 'unknown']);
    noteOwnWay(home, 'a:1', 'yes');
    expect(verdictOn(home, 'a:1')).toBe('yes');
  });
});

describe('the way by a relay', () => {
  const NOW = 1_763_600_000;

  it('is proved by a device that came in by it, for three minutes', () => {
    const peer = (secondsAgo: number) => ({ latestHandshake: NOW - secondsAgo });
    expect(judgeRelayed([peer(500), peer(179)], 'vps', NOW)).toMatchObject({
      reachable: 'yes',
      vantage: 'device',
      detail: 'a device connected through the relay vps',
    });
    expect(judgeRelayed([peer(180)], 'vps', NOW)).toBeUndefined();
    expect(judgeRelayed([], 'vps', NOW)).toBeUndefined();
  });

  it.each([
    ['answered', 'proved', 'yes', 'relay'],
    ['answered', 'overloaded', 'unknown', 'relay'],
    ['answered', 'foreign', 'unknown', 'relay'],
    ['silent', 'foreign', 'no', 'relay'],
    ['refused', 'foreign', 'no', 'relay'],
    ['failed', 'foreign', 'unknown', 'none'],
  ] as const)('visited, and it %s (%s), is %s', (outcome, judged, reachable, vantage) => {
    const place = { relay: 'vps', where: '11.1.0.2:51821' };
    const found = judgeVisited({ outcome, answer: new Uint8Array() }, () => judged, place, NOW * 1000);
    expect(found).toMatchObject({
      reachable,
      vantage,
      detail: expect.stringContaining('relay vps') as string,
    });
  });
});
