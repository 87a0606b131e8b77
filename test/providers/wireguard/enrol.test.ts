import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { networkFor } from '../../../src/core/allocate.ts';
import type { Observed } from '../../../src/core/contract.ts';
import { encodeKey } from '../../../src/wire/wireguard.ts';
import { enrol as enrolAll, tunnelName } from '../../../providers/wireguard/enrol.ts';
import { Settings, type Spec } from '../../../providers/wireguard/spec.ts';
import { parseConf } from '../../support/wireguard-grammar.ts';

const key = (fill: number): string => encodeKey(new Uint8Array(32).fill(fill));
const endpoint = 'home.example.net:51820';
const INTERFACE: Observed<Spec> = {
  key: 'interface:gwwg0',
  spec: { type: 'interface', name: 'gwwg0', listenPort: 51820, address: '10.64.8.1', endpoint },
  facts: { publicKey: key(1), implementation: 'kernel' },
};
const PEER: Observed<Spec> = {
  key: `peer:${key(2)}`,
  spec: { type: 'peer', interface: 'gwwg0', publicKey: key(2), address: '10.64.8.7' },
  facts: {},
};
const inputFor = (name: string) => ({
  device: { name, services: ['shop'], publicKey: key(2), addedAt: '' },
  privateKey: key(3),
  presharedKey: key(4),
  network: networkFor('gw', '10.64.0.0/20'),
  services: [],
  exposures: [],
  settings: Settings.parse({ endpoint, mtu: 1400 }),
});

const enrol = (...input: Parameters<typeof enrolAll>) => {
  const [conf, ...others] = enrolAll(...input);
  expect(others).toEqual([]);
  if (conf === undefined) throw new Error('nothing was handed out');
  return conf;
};

describe('enrolment', () => {
  it('tells the device all it needs, in the grammar of both apps', () => {
    const handout = enrol(inputFor('phone'), [INTERFACE, PEER]);
    expect(handout).toMatchObject({ kind: 'wireguard-config', file: 'phone.conf', secret: true });
    expect(parseConf(handout.text)).toEqual({
      interface: { privatekey: key(3), address: '10.64.8.7/32', mtu: '1400' },
      peers: [
        {
          publickey: key(1),
          presharedkey: key(4),
          allowedips: '10.64.0.0/20',
          endpoint,
          persistentkeepalive: '25',
        },
      ],
    });
  });

  it('gives it an address of each family, and both blocks go into the tunnel', () => {
    const network = networkFor('gw', '10.64.0.0/20', 'fd12:3456:789a::/48');
    const { text } = enrol({ ...inputFor('phone'), network }, [INTERFACE, PEER]);
    expect(parseConf(text)).toMatchObject({
      interface: { address: '10.64.8.7/32, fd12:3456:789a::a40:807/128' },
      peers: [{ allowedips: '10.64.0.0/20, fd12:3456:789a::/48' }],
    });
  });

  it.each([[[]], [[INTERFACE]], [[PEER]]])('is refused before the peer is in the world', (observed) => {
    expect(() => enrol(inputFor('phone'), observed)).toThrow('phone cannot be enrolled');
  });

  it('carries what the router opened where no endpoint is configured, and is refused while that is unknown', () => {
    const input = { ...inputFor('phone'), settings: Settings.parse({}) };
    const found = (facts: Observed['facts']): Observed<Spec> => ({
      ...INTERFACE,
      facts: { ...INTERFACE.facts, ...facts },
    });
    const dial = '11.2.0.2:40000';
    expect(parseConf(enrol(input, [found({ dial }), PEER]).text).peers[0]?.['endpoint']).toBe(dial);
    const unknown = found({ dialProblem: 'the router said no; forward it by hand' });
    expect(() => enrol(input, [unknown, PEER])).toThrow('the router said no; forward it by hand');
  });

  it('never carries the name of the device into the file, nor more of it than is safe into the file name', () => {
    const plain = enrol(inputFor('phone'), [INTERFACE, PEER]).text;
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom('x\nPostUp = reboot', '../../etc/x', '-rf', '.')),
        (name) => {
          const handout = enrol(inputFor(name), [INTERFACE, PEER]);
          expect(handout.text).toBe(plain);
          expect(handout.file).toMatch(/^[a-zA-Z0-9_=+][a-zA-Z0-9_=+.-]{0,14}\.conf$/);
          expect(tunnelName(name).length).toBeLessThanOrEqual(15);
        },
      ),
    );
  });
});
