import { describe, expect, it } from 'vitest';
import { judge } from '../../../providers/wireguard/reach.ts';
import type { Visitor } from '../../../providers/wireguard/visitors.ts';

const NOW = 1_763_600_000;
const OWN = { ipv4: ['11.2.0.2'], ipv6: ['2b00:1:2:3::1'] };
const NONE = { ipv4: [], ipv6: [] };

const peer = (endpoint: string | undefined, secondsAgo: number): Visitor => ({
  ...(endpoint === undefined ? {} : { endpoint }),
  latestHandshake: NOW - secondsAgo,
});

describe('a handshake', () => {
  it('from a public address proves the way, at the time of the handshake', () => {
    expect(judge([peer('11.9.9.9:4711', 179)], OWN, NOW)).toEqual({
      reachable: 'yes',
      vantage: 'device',
      provedAt: new Date((NOW - 179) * 1000).toISOString(),
      detail: 'a device connected from 11.9.9.9',
    });
  });

  it('from a public IPv6 address outside our own block proves it too', () => {
    expect(judge([peer('[2b00:1:3::1]:4711', 5)], OWN, NOW)).toMatchObject({
      reachable: 'yes',
      vantage: 'device',
    });
  });

  it.each([
    ['from inside the network', '192.168.1.20:4711', 5, OWN, 'lan', /inside this network.*mobile data/],
    ['from behind the same carrier', '100.64.3.4:4711', 5, OWN, 'lan', /inside this network/],
    ["through our own router's address", '11.2.0.2:4711', 5, OWN, 'hairpin', /own address.*mobile data/],
    ['over IPv6 from home', '[2b00:1:2:77::9]:4711', 5, OWN, 'lan', /own IPv6 block.*mobile data/],
    ['over IPv6 from the link', '[fe80::9]:4711', 5, OWN, 'lan', /inside this network/],
    ['over IPv6 from a private block', '[fd00::9]:4711', 5, OWN, 'lan', /inside this network/],
    ['over IPv6 when ours is not known', '[2b00:9::1]:4711', 5, NONE, 'none', /may be at home/],
    ['over IPv4 when only IPv6 is known', '11.9.9.9:4711', 5, { ...OWN, ipv4: [] }, 'none', /looked up/],
    ['when our own address is not known', '11.9.9.9:4711', 5, NONE, 'none', /could not be looked up/],
    ['from three minutes ago', '11.9.9.9:4711', 180, OWN, 'none', /3 minutes ago.*mobile data/],
    ['from an hour ago', '11.9.9.9:4711', 3600, OWN, 'none', /60 minutes ago/],
    ['that never was', undefined, NOW, OWN, 'none', /scan the code.*mobile data/],
    ['of which the source is garbage', 'x', 5, OWN, 'none', /not known/],
  ] as const)('%s proves nothing', (_what, endpoint, secondsAgo, own, vantage, detail) => {
    const reach = judge([peer(endpoint, secondsAgo)], own, NOW);
    expect(reach).toMatchObject({ reachable: 'unknown', vantage });
    expect(reach.provedAt).toBeUndefined();
    expect(reach.detail).toMatch(detail);
  });

  it('of one device is enough', () => {
    const peers = [peer('192.168.1.20:1', 1), peer(undefined, NOW), peer('11.9.9.9:1', 60)];
    expect(judge(peers, OWN, NOW).reachable).toBe('yes');
  });
});
