import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeKey, toHex } from '../../src/wire/wireguard.ts';
import { renderPeers, wakeAt } from '../../src/wire/wireguard-peers.ts';
import { isWholeAnswer, parseUapi } from '../../src/wire/wireguard-uapi.ts';

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const hex = (fill: number): string => toHex(bytes(fill));
const key = (fill: number): string => encodeKey(bytes(fill));

const ANSWER = `private_key=${hex(1)}
listen_port=51820
fwmark=0
public_key=${hex(2)}
preshared_key=${hex(3)}
protocol_version=1
endpoint=[2001:db8::1]:40000
last_handshake_time_sec=1763600000
last_handshake_time_nsec=5
tx_bytes=1
rx_bytes=2
persistent_keepalive_interval=0
allowed_ip=10.64.8.2/32
allowed_ip=fd00::2/128
public_key=${hex(4)}
preshared_key=${hex(0)}
last_handshake_time_sec=0
errno=0

`;

describe('what wireguard-go says of itself', () => {
  it('is read whole', () => {
    expect(parseUapi(ANSWER)).toEqual({
      privateKey: key(1),
      listenPort: 51820,
      peers: [
        {
          publicKey: key(2),
          presharedKey: key(3),
          endpoint: '[2001:db8::1]:40000',
          allowedIps: ['10.64.8.2/32', 'fd00::2/128'],
          latestHandshake: 1_763_600_000,
          received: 2,
          sent: 1,
          keepaliveSeconds: 0,
        },
        {
          publicKey: key(4),
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

  it('is whole only with its last line, wherever it was cut', () => {
    for (let length = 0; length < ANSWER.length; length += 1) {
      expect(isWholeAnswer(ANSWER.slice(0, length))).toBe(false);
      expect(parseUapi(ANSWER.slice(0, length))).toBeUndefined();
    }
    expect(isWholeAnswer(ANSWER)).toBe(true);
    expect(parseUapi('errno=-5\n\n')).toBeUndefined();
  });

  it('never makes it throw, and nothing but keys come out as keys', () => {
    const line = fc.oneof(fc.string(), fc.constantFrom(...ANSWER.split('\n')), fc.constant('public_key='));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const parsed = parseUapi(`${lines.join('\n')}\nerrno=0\n\n`);
        for (const { publicKey } of parsed?.peers ?? []) expect(publicKey).toMatch(/^[A-Za-z0-9+/]{43}=$/);
      }),
    );
  });
});

describe('peers for wg addconf', () => {
  it('are sections, with a keepalive where somebody is to be woken', () => {
    const peer = { publicKey: key(1), presharedKey: key(2), allowedIps: ['10.64.8.2/32'] };
    expect(renderPeers([{ ...peer, ...wakeAt('11.2.3.4:5') }, peer])).toBe(`[Peer]
PublicKey = ${key(1)}
PresharedKey = ${key(2)}
AllowedIPs = 10.64.8.2/32
Endpoint = 11.2.3.4:5
PersistentKeepalive = 25

[Peer]
PublicKey = ${key(1)}
PresharedKey = ${key(2)}
AllowedIPs = 10.64.8.2/32
`);
  });

  it.each([
    { endpoint: 'home.example.net:1' },
    { endpoint: '1.2.3.4:5\n[Peer]' },
    { publicKey: 'x' },
    { presharedKey: `${key(1)}\nEndpoint = 1.2.3.4:5` },
    { allowedIps: ['10.64.8.2/32\nEndpoint = 1.2.3.4:5'] },
    { keepaliveSeconds: Number.NaN },
  ])('refuses %j', (change) => {
    const peer = { publicKey: key(1), presharedKey: key(2), allowedIps: ['10.64.8.2/32'] };
    expect(() => renderPeers([{ ...peer, ...change }])).toThrow('no peers can be set');
  });
});
