import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { decodeKey, encodeKey, isKey, parseDump, renderConf, toHex } from '../../src/wire/wireguard.ts';
import { parseConf } from '../support/wireguard-grammar.ts';

const KEY = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(encodeKey);
const key = (fill: number): string => encodeKey(new Uint8Array(32).fill(fill));
const CONF = {
  privateKey: key(1),
  address: '10.64.8.2',
  peerPublicKey: key(2),
  presharedKey: key(3),
  allowedIps: ['10.64.0.0/20'],
  endpoint: 'home.example.net:51820',
  persistentKeepaliveSeconds: 25,
};

describe('keys', () => {
  it('survive a round trip, and 32 bytes always have the form of a key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        expect(isKey(encodeKey(bytes))).toBe(true);
        expect(decodeKey(encodeKey(bytes))).toEqual(bytes);
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      }),
    );
  });

  it.each(['', 'A'.repeat(44), `${'A'.repeat(42)}B=`, `${key(1)}\n`, ` ${key(1)}`, key(1).slice(1)])(
    'refuses %j',
    (text) => expect(decodeKey(text)).toBeUndefined(),
  );
});

describe('the configuration of a device', () => {
  it('is what both apps read', () => {
    expect(parseConf(renderConf({ ...CONF, mtu: 1280 }))).toEqual({
      interface: { privatekey: key(1), address: '10.64.8.2/32', mtu: '1280' },
      peers: [
        {
          publickey: key(2),
          presharedkey: key(3),
          allowedips: '10.64.0.0/20',
          endpoint: 'home.example.net:51820',
          persistentkeepalive: '25',
        },
      ],
    });
  });

  it('is what both apps read with IPv6 beside IPv4', () => {
    const allowedIps = ['10.64.0.0/20', 'fd12:3456:789a::/48'];
    const conf = { ...CONF, address6: 'fd12:3456:789a::a40:802', allowedIps };
    expect(parseConf(renderConf(conf))).toMatchObject({
      interface: { address: '10.64.8.2/32, fd12:3456:789a::a40:802/128' },
      peers: [{ allowedips: '10.64.0.0/20, fd12:3456:789a::/48' }],
    });
  });

  it('has no comment, no name and no DNS server', () => {
    const text = renderConf(CONF);
    expect(text).not.toMatch(/[#;]|dns|name/i);
    expect(text.split('\n').filter((line) => line.startsWith('['))).toEqual(['[Interface]', '[Peer]']);
  });

  it.each(['home.example.net:51820', '11.2.0.2:1', '[2001:db8::1]:65535'])('takes endpoint %s', (endpoint) =>
    expect(parseConf(renderConf({ ...CONF, endpoint })).peers[0]).toMatchObject({ endpoint }),
  );

  it('is either accepted by both apps with exactly what was asked, or not made at all', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom('a:1\nPostUp = reboot', '10.0.0.1\n[Peer]', '#', 'x\r\nDNS = 1.1.1.1', '::1:1'),
    );
    fc.assert(
      fc.property(hostile, hostile, hostile, KEY, (address, endpoint, block, privateKey) => {
        for (const change of [
          { address },
          { address6: address },
          { endpoint },
          { allowedIps: [block] },
          { presharedKey: block },
        ]) {
          let text: string;
          try {
            text = renderConf({ ...CONF, privateKey, ...change });
          } catch (error) {
            expect(String(error)).toMatch(/no WireGuard configuration can be made/);
            continue;
          }
          const parsed = parseConf(text);
          expect(parsed.interface['privatekey']).toBe(privateKey);
          expect(Object.keys(parsed.interface)).toEqual(['privatekey', 'address']);
          expect(text.split('\n')).toHaveLength(11);
        }
      }),
    );
  });

  it('never shows a key in the message of an error', () => {
    expect(() => renderConf({ ...CONF, privateKey: 'c2VjcmV0' })).toThrow(/^(?!.*c2VjcmV0)/);
  });
});

describe('the dump of an interface', () => {
  const interfaceLine = `${key(1)}\t${key(2)}\t51820\toff`;
  const peerLine = `${key(3)}\t${key(4)}\t11.2.0.2:40000\t10.64.8.2/32\t1763600000\t148\t92\t25`;

  it('is read', () => {
    expect(parseDump(`${interfaceLine}\n${peerLine}\n`)).toEqual({
      publicKey: key(2),
      listenPort: 51820,
      peers: [
        {
          publicKey: key(3),
          presharedKey: key(4),
          endpoint: '11.2.0.2:40000',
          allowedIps: ['10.64.8.2/32'],
          latestHandshake: 1_763_600_000,
          received: 148,
          sent: 92,
          keepaliveSeconds: 25,
        },
      ],
    });
  });

  it('of an interface and a peer about which nothing is known yet', () => {
    const text = `(none)\t(none)\t0\toff\n${key(3)}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n`;
    expect(parseDump(text)).toEqual({
      publicKey: '',
      listenPort: 0,
      peers: [
        {
          publicKey: key(3),
          presharedKey: undefined,
          endpoint: undefined,
          allowedIps: [],
          latestHandshake: 0,
          received: 0,
          sent: 0,
          keepaliveSeconds: 0,
        },
      ],
    });
  });

  it('leaves out what is not a peer, and never throws', () => {
    const line = fc.array(
      fc.oneof(fc.string(), KEY, fc.constantFrom('-1', '1e9', '99999999999999999999', 'off')),
    );
    fc.assert(
      fc.property(fc.array(line), fc.string(), (lines, rest) => {
        const text = `${interfaceLine}\n${lines.map((fields) => fields.join('\t')).join('\n')}\n${rest}\n${peerLine}`;
        const dump = parseDump(text);
        expect(dump?.peers.at(-1)?.publicKey).toBe(key(3));
        for (const peer of dump?.peers ?? []) {
          expect(isKey(peer.publicKey)).toBe(true);
          expect(Number.isSafeInteger(peer.latestHandshake + peer.received)).toBe(true);
        }
        expect(() => parseDump(rest)).not.toThrow();
      }),
    );
  });
});
