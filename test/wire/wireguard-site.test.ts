import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeKey, parseConf, renderConf } from '../../src/wire/wireguard.ts';
import { renderSite, SITE_FORMATS, siteFileNames } from '../../src/wire/wireguard-site.ts';

const key = (fill: number): string => encodeKey(new Uint8Array(32).fill(fill));
const CONF = {
  privateKey: key(1),
  address: '10.64.8.2',
  mtu: 1380,
  peerPublicKey: key(2),
  presharedKey: key(3),
  allowedIps: ['10.64.0.0/20'],
  endpoint: 'home.example.net:51820',
  persistentKeepaliveSeconds: 25,
};

const WITH_IPV6 = {
  ...CONF,
  address6: 'fd12:3456:789a::a40:802',
  allowedIps: ['10.64.0.0/20', 'fd12:3456:789a::/48'],
};

const textsOf = (...[format, name, conf]: Parameters<typeof renderSite>) =>
  Object.fromEntries(renderSite(format, name, conf).map((file) => [file.name, file.text]));

describe('a configuration that we made', () => {
  it('is read back, with a private key and without', () => {
    for (const conf of [CONF, WITH_IPV6, { ...CONF, privateKey: undefined, mtu: undefined }]) {
      expect(parseConf(renderConf(conf))).toEqual(conf);
    }
  });

  it.each(['', 'x', `${renderConf(CONF)}PostUp = reboot\n`, renderConf(CONF).replace('MTU', 'mtu')])(
    'is not %j',
    (text) => expect(parseConf(text)).toBeUndefined(),
  );
});

describe('a site', () => {
  it('is a conf of wg-quick', () => {
    expect(textsOf('wg-quick', 'webshop', CONF)).toEqual({ 'webshop.conf': renderConf(CONF) });
  });

  it('is a device and a network of systemd', () => {
    expect(textsOf('networkd', 'webshop', CONF)).toEqual({
      'webshop.netdev': `[NetDev]
Name=webshop
Kind=wireguard
MTUBytes=1380

[WireGuard]
PrivateKey=${key(1)}

[WireGuardPeer]
PublicKey=${key(2)}
PresharedKey=${key(3)}
AllowedIPs=10.64.0.0/20
Endpoint=home.example.net:51820
PersistentKeepalive=25
`,
      'webshop.network': `[Match]
Name=webshop

[Network]
Address=10.64.8.2/32

[Route]
Destination=10.64.0.0/20
Scope=link
`,
    });
  });

  it('has both families in each form', () => {
    expect(textsOf('networkd', 'webshop', WITH_IPV6)['webshop.network']).toBe(`[Match]
Name=webshop

[Network]
Address=10.64.8.2/32
Address=fd12:3456:789a::a40:802/128

[Route]
Destination=10.64.0.0/20
Scope=link

[Route]
Destination=fd12:3456:789a::/48
`);
    const nixos = textsOf('nixos', 'webshop', WITH_IPV6)['webshop.nix'] ?? '';
    expect(nixos).toContain('ips = [ "10.64.8.2/32" "fd12:3456:789a::a40:802/128" ];');
    expect(nixos).toContain('allowedIPs = [ "10.64.0.0/20" "fd12:3456:789a::/48" ];');
  });

  it('is a module of NixOS, whose keys are in files of their own', () => {
    const texts = textsOf('nixos', 'webshop', CONF);
    expect(Object.keys(texts)).toEqual(['webshop.nix', 'webshop.key', 'webshop.psk']);
    expect(texts['webshop.key']).toBe(`${key(1)}\n`);
    expect(texts['webshop.psk']).toBe(`${key(3)}\n`);
    expect(texts['webshop.nix']).not.toContain(key(1));
    expect(texts['webshop.nix']).not.toContain(key(3));
    expect(texts['webshop.nix']).toContain('allowedIPs = [ "10.64.0.0/20" ];');
  });

  it.each(SITE_FORMATS)('has no private key in any file when it brought its own (%s)', (format) => {
    const texts = textsOf(format, 'webshop', { ...CONF, privateKey: undefined });
    expect(Object.keys(texts)).toEqual(siteFileNames(format, 'webshop', false));
    expect(Object.keys(texts)).not.toContain('webshop.key');
    expect(JSON.stringify(texts)).not.toContain(key(1));
  });

  it('lets nothing that somebody typed into a file', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom('a"; }; services', 'x\nPostUp=reboot', '../x', '${pkgs}', 'a'.repeat(16)),
    );
    fc.assert(
      fc.property(hostile, hostile, fc.constantFrom(...SITE_FORMATS), (name, endpoint, format) => {
        if (!/^[a-z][a-z0-9-]{0,14}$/.test(name)) {
          expect(() => renderSite(format, name, CONF)).toThrow('cannot be the name of an interface');
        }
        for (const { text } of attempt(() => renderSite(format, 'webshop', { ...CONF, endpoint }))) {
          expect(text).not.toMatch(/PostUp|pkgs|services/);
        }
      }),
    );
  });
});

function attempt<Item>(make: () => readonly Item[]): readonly Item[] {
  try {
    return make();
  } catch (error) {
    expect(String(error)).toContain('no WireGuard configuration can be made');
    return [];
  }
}
