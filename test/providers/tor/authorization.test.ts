import { describe, expect, it } from 'vitest';
import { enrol } from '../../../providers/tor/enrol.ts';
import { tor } from '../../../providers/tor/index.ts';
import { Options, type Spec } from '../../../providers/tor/spec.ts';
import { networkFor } from '../../../src/core/allocate.ts';
import type { Compiled, Exposure, Ledger, Observed } from '../../../src/core/contract.ts';
import type { Device, Service, ServiceKind } from '../../../src/core/service.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';
import { decodeBase32 } from '../../../src/wire/onion.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const HOSTNAME = `${'a'.repeat(56)}.onion`;
const NOW = Date.parse('2026-11-20T08:00:00Z');
const DAY = 24 * 3600 * 1000;

const service = (name: string, kind: ServiceKind = 'http'): Service => ({
  name,
  kind,
  privacy: 'open',
  port: 8080,
  place: { type: 'namespace', name },
  address: '10.64.1.2',
  dial: { host: '10.64.1.2', port: 8080 },
});
const exposed = (name: string, options: object = {}, kind: ServiceKind = 'http'): Exposure<Options> => ({
  service: service(name, kind),
  options: Options.parse(options),
});
const SHOP = exposed('shop', { authorization: 'required' });
const key = (letter: string): string => letter.repeat(52);
const device = (name: string, letter: string, ...services: string[]): Device => ({
  name,
  services: services.length === 0 ? ['shop'] : services,
  onionKey: key(letter),
  addedAt: '2026-01-01T00:00:00Z',
});
const ALICE = device('alice', 'A');
const BOB = device('bob', 'B');

const compile = (devices: readonly Device[], ledger: Ledger = {}, exposures = [SHOP]): Compiled<Spec> =>
  tor.compile({
    network: NETWORK,
    services: exposures.map((exposure) => exposure.service),
    exposures,
    devices,
    wants: [],
    ledger,
    settings: tor.settings.parse({}),
  });
const authorizationOf = ({ resources }: Compiled<Spec>, name = 'shop') =>
  resources.flatMap(({ spec }) =>
    spec.type === 'onion' && spec.service === name ? [spec.authorization] : [],
  )[0];
const roundOf = (compiled: Compiled<Spec>): number | undefined => authorizationOf(compiled)?.round;

describe('who is let in', () => {
  it.each<[ServiceKind, object, boolean]>([
    ['http', {}, false],
    ['btcpay', {}, false],
    ['lnd', {}, true],
    ['clnrest', {}, true],
    ['lnd', { authorization: 'none' }, false],
    ['http', { authorization: 'required' }, true],
  ])('%s with %j asks for a key: %s', (kind, options, asks) => {
    const exposure = exposed('x', options, kind);
    expect(authorizationOf(compile([], {}, [exposure]), 'x') !== undefined).toBe(asks);
    expect(tor.asksForDevice?.(exposure)).toBe(asks);
  });

  it('names the devices that were given it, and no others', () => {
    const strangers = [
      device('carol', 'C', 'wiki'),
      { name: 'wg', services: ['shop'], publicKey: 'k', addedAt: '' },
    ];
    expect(authorizationOf(compile([BOB, ALICE, ...strangers]))?.clients).toEqual([
      { name: 'alice', key: key('A') },
      { name: 'bob', key: key('B') },
    ]);
  });

  it('tells people that they need a key', () => {
    const observed: Observed<Spec> = {
      key: 'onion:shop',
      spec: {
        type: 'onion',
        instance: 'tor',
        service: 'shop',
        virtualPort: 80,
        proofOfWork: true,
        target: { host: '', port: 1 },
      },
      facts: { address: HOSTNAME },
    };
    expect(tor.addresses(SHOP, [observed])[0]?.clientNeeds).toHaveLength(2);
    expect(tor.addresses(exposed('shop'), [observed])[0]?.clientNeeds).toHaveLength(1);
  });
});

describe('the round of the introduction points', () => {
  const first = compile([ALICE, BOB]);

  it('begins when an onion begins to ask: who came in before may know them', () => {
    expect(roundOf(first)).toBe(1);
    expect(roundOf(compile([ALICE, BOB], first.ledger))).toBe(1);
  });

  it('stays when a device is added', () => {
    expect(roundOf(compile([ALICE, BOB, device('carol', 'C')], first.ledger))).toBe(1);
  });

  it.each<[string, Device[]]>([
    ['is revoked', [BOB]],
    ['has new keys', [device('alice', 'D'), BOB]],
    ['is not given the service any more', [device('alice', 'A', 'wiki'), BOB]],
  ])('goes up once when a device %s', (_when, devices) => {
    const second = compile(devices, first.ledger);
    expect(roundOf(second)).toBe(2);
    expect(roundOf(compile(devices, second.ledger))).toBe(2);
  });

  it('concerns no other onion', () => {
    const both = [SHOP, exposed('wiki', { authorization: 'required' })];
    const before = compile([ALICE, device('carol', 'C', 'wiki')], {}, both);
    const after = compile([device('carol', 'C', 'wiki')], before.ledger, both);
    expect([authorizationOf(after)?.round, authorizationOf(after, 'wiki')?.round]).toEqual([2, 1]);
  });

  it('never comes again, also when the onion is taken away or opened in between', () => {
    const open = compile([ALICE], first.ledger, [exposed('shop')]);
    expect(authorizationOf(open)).toBeUndefined();
    expect(roundOf(compile([ALICE], open.ledger))).toBe(2);
  });

  it('is forgotten with the service', () => {
    expect(compile([ALICE], first.ledger, []).ledger).toEqual({});
  });
});

describe('a gentle revocation', () => {
  const before = compile([ALICE, BOB]).ledger;
  const gently = tor.revokeGently?.(before, ALICE, NOW) ?? {};
  const after = compile([BOB], gently);

  it('takes the key away and leaves the introduction points', () => {
    expect(authorizationOf(after)).toEqual({ clients: [{ name: 'bob', key: key('B') }], round: 1 });
  });

  it('says what is still possible, as long as it is', () => {
    expect(tor.remarks?.(after.ledger, NOW)).toEqual([
      expect.stringMatching(/^alice was revoked gently: .* of shop .* 2026-11-21T08:00:00.000Z/),
    ]);
    expect(tor.remarks?.(after.ledger, NOW + DAY)).toEqual([]);
  });

  it('ends with the next revocation that is not', () => {
    const last = compile([], after.ledger);
    expect(roundOf(last)).toBe(2);
    expect(tor.remarks?.(last.ledger, NOW)).toEqual([]);
  });

  it('is swept up by a later one', () => {
    const later = tor.revokeGently?.(after.ledger, BOB, NOW + 2 * DAY) ?? {};
    expect(Object.keys(later).filter((name) => name.startsWith('gently/'))).toEqual([
      `gently/shop/${key('B')}`,
    ]);
  });
});

describe('what a device is handed', () => {
  const secret = nodeCrypto.curve25519Secret();
  const onion: Observed<Spec> = {
    key: 'onion:shop',
    spec: {
      type: 'onion',
      instance: 'tor',
      service: 'shop',
      virtualPort: 80,
      proofOfWork: true,
      target: { host: '', port: 1 },
    },
    facts: { address: HOSTNAME },
  };
  const input = (privateKey: string) => ({
    device: ALICE,
    privateKey,
    presharedKey: '',
    network: NETWORK,
    services: [SHOP.service],
    exposures: [SHOP, exposed('blog')],
    settings: tor.settings.parse({}),
  });

  it('has the key in the form of each client, and the same key in each', () => {
    const handouts = enrol(input(Buffer.from(secret).toString('base64')), [onion]);
    const text = (kind: string): string => handouts.find((one) => one.kind === kind)?.text ?? '';
    const written = text('onion-key');
    expect(decodeBase32(written)).toEqual(secret);
    expect(text('link')).toBe(`http://${HOSTNAME}`);
    expect(text('onion-key-file')).toBe(`${'a'.repeat(56)}:descriptor:x25519:${written}\n`);
    expect(text('orbot-entry')).toBe(`${HOSTNAME}\n${written}`);
    expect(handouts.filter((one) => one.secret).map(({ kind }) => kind)).not.toContain('link');
    expect(handouts).toHaveLength(4);
  });

  it('has no key when the device brought its own', () => {
    expect(enrol(input(''), [onion]).map(({ kind }) => kind)).toEqual(['link']);
  });

  it('is nothing before the onion has an address', () => {
    expect(() => enrol(input(''), [])).toThrow(/alice cannot be enrolled: .* shop has no address yet/);
  });
});
