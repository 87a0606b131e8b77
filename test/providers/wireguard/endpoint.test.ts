import { describe, expect, it } from 'vitest';
import { decideDial as decide, LEARNED, type DialInput } from '../../../providers/wireguard/endpoint.ts';
import type { HomeAddress } from '../../../src/core/home.ts';
import type { MappingReport } from '../../../src/core/mapper.ts';

const HELD: MappingReport = {
  transport: 'udp',
  port: 51_820,
  state: 'held',
  protocol: 'pcp',
  router: '192.168.1.1',
  externalAddress: '11.2.0.2',
  externalPort: 40_000,
  renewedAt: null,
  expiresAt: null,
  problem: null,
  hint: null,
};

const decideDial = (input: Omit<DialInput, 'home' | 'listenPort'>, home: readonly HomeAddress[] = []) =>
  decide({ ...input, home, listenPort: 51_820 });

describe('what devices dial', () => {
  it('is what the config says, whatever the router does', () => {
    const configured = 'home.example.net:51820';
    expect(decideDial({ configured, mapping: HELD })).toEqual({ endpoint: configured });
    expect(decideDial({ configured, mapping: undefined })).toEqual({ endpoint: configured });
  });

  it('is the address of the router, and the port that it gave, where the config says nothing', () => {
    expect(decideDial({ configured: LEARNED, mapping: HELD })).toEqual({ endpoint: '11.2.0.2:40000' });
  });

  it('is the name of the home, where it has one, and never for an address that nobody can reach', () => {
    const name = 'home.example.net';
    expect(decideDial({ configured: LEARNED, mapping: HELD, name })).toEqual({
      endpoint: 'home.example.net:40000',
    });
    const mapping = { ...HELD, externalAddress: '100.64.3.4' };
    expect(decideDial({ configured: LEARNED, mapping, name }).endpoint).toBeUndefined();
  });

  it.each(['192.168.0.2', '10.0.0.2', '100.64.3.4', null])(
    'is not known while the router’s own address is %s',
    (externalAddress) => {
      const dial = decideDial({ configured: LEARNED, mapping: { ...HELD, externalAddress } });
      expect(dial.endpoint).toBeUndefined();
      expect(dial.problem).toContain('wireguard: { endpoint:');
    },
  );

  it('is what others see from outside, where the router tells no address of its own', () => {
    const seen: HomeAddress[] = [{ family: 4, address: '11.7.7.7', source: 'stun' }];
    const told = decideDial({ configured: LEARNED, mapping: { ...HELD, externalAddress: null } }, seen);
    expect(told).toEqual({ endpoint: '11.7.7.7:40000' });
    const inner = decideDial(
      { configured: LEARNED, mapping: { ...HELD, externalAddress: '10.0.0.2' } },
      seen,
    );
    expect(inner.endpoint).toBeUndefined();
  });

  it('is what relay and STUN both see, and never what one of them tells against the router; both are kept', () => {
    const relay: HomeAddress = { family: 4, address: '11.7.7.7', source: 'relay' };
    const alone = decideDial({ configured: LEARNED, mapping: HELD }, [relay]);
    expect(alone).toEqual({ endpoint: '11.2.0.2:40000', differs: '11.7.7.7 (relay)' });
    const both = decideDial({ configured: LEARNED, mapping: HELD }, [relay, { ...relay, source: 'stun' }]);
    expect(both).toEqual({ endpoint: '11.7.7.7:40000', differs: '11.2.0.2 (router)' });
  });

  it('is this machine itself, where it has a public address and needs no router', () => {
    const own: HomeAddress[] = [{ family: 4, address: '11.5.5.5', source: 'interface' }];
    const failed = { ...HELD, state: 'failed' as const, externalAddress: null, externalPort: null };
    const endpoint = '11.5.5.5:51820';
    expect(decideDial({ configured: LEARNED, mapping: failed }, own)).toEqual({ endpoint });
    expect(decideDial({ configured: LEARNED, mapping: undefined }, own)).toEqual({ endpoint });
  });

  it('is not known while the router refuses, and the reason is the router’s', () => {
    const mapping: MappingReport = {
      ...HELD,
      state: 'failed',
      externalAddress: null,
      externalPort: null,
      problem: '192.168.1.1 does not answer PCP',
      hint: 'switch on UPnP',
    };
    expect(decideDial({ configured: LEARNED, mapping }).problem).toContain(
      '192.168.1.1 does not answer PCP; switch on UPnP; or forward the port',
    );
    expect(decideDial({ configured: LEARNED, mapping: undefined }).problem).toContain('not asked yet');
  });
});
