import { describe, expect, it } from 'vitest';
import { decideDial, LEARNED } from '../../../providers/wireguard/endpoint.ts';
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
