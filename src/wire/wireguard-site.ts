import { GatewayError } from '../core/errors.ts';
import { addressesOf, renderConf, type WireguardConf } from './wireguard.ts';

/**
 * The same tunnel for a server, as three systems want it. Every value was checked by `renderConf`, and the name is one of
 * the few that an interface may have: nothing that a person typed reaches a file that root's programs interpret.
 */
export const SITE_FORMATS = ['wg-quick', 'networkd', 'nixos'] as const;
export type SiteFormat = (typeof SITE_FORMATS)[number];

export interface SiteFile {
  readonly name: string;
  readonly text: string;
}

const NAME = /^[a-z][a-z0-9-]{0,14}$/;

/** Names of the files, before there are keys to put into them. */
export function siteFileNames(format: SiteFormat, name: string, hasPrivateKey: boolean): readonly string[] {
  const key = hasPrivateKey ? [`${name}.key`] : [];
  const names = {
    'wg-quick': [`${name}.conf`],
    networkd: [`${name}.netdev`, `${name}.network`],
    nixos: [`${name}.nix`, ...key, `${name}.psk`],
  };
  return names[format];
}

export function renderSite(format: SiteFormat, name: string, conf: WireguardConf): readonly SiteFile[] {
  if (!NAME.test(name)) {
    throw new GatewayError(`${JSON.stringify(name)} cannot be the name of an interface`, {
      code: 'InvalidRequest',
      retry: 'never',
    });
  }
  const checked = renderConf(conf);
  const texts = {
    'wg-quick': () => [checked],
    networkd: () => [netdev(name, conf), network(name, conf)],
    nixos: () => [
      nixos(name, conf),
      ...(conf.privateKey === undefined ? [] : [`${conf.privateKey}\n`]),
      `${conf.presharedKey}\n`,
    ],
  }[format]();
  const names = siteFileNames(format, name, conf.privateKey !== undefined);
  return names.map((fileName, index) => ({ name: fileName, text: texts[index] ?? '' }));
}

/** systemd.netdev(5) */
function netdev(name: string, conf: WireguardConf): string {
  const key =
    conf.privateKey === undefined
      ? `PrivateKeyFile=/etc/systemd/network/${name}.key`
      : `PrivateKey=${conf.privateKey}`;
  return [
    '[NetDev]',
    `Name=${name}`,
    'Kind=wireguard',
    ...(conf.mtu === undefined ? [] : [`MTUBytes=${conf.mtu}`]),
    '',
    '[WireGuard]',
    key,
    '',
    '[WireGuardPeer]',
    `PublicKey=${conf.peerPublicKey}`,
    `PresharedKey=${conf.presharedKey}`,
    `AllowedIPs=${conf.allowedIps.join(',')}`,
    `Endpoint=${conf.endpoint}`,
    ...(conf.persistentKeepaliveSeconds === undefined
      ? []
      : [`PersistentKeepalive=${conf.persistentKeepaliveSeconds}`]),
    '',
  ].join('\n');
}

/** systemd.network(5). networkd makes no routes of allowed IPs by itself. */
function network(name: string, conf: WireguardConf): string {
  return [
    '[Match]',
    `Name=${name}`,
    '',
    '[Network]',
    ...addressesOf(conf).map((address) => `Address=${address}`),
    ...conf.allowedIps.flatMap((block) => ['', '[Route]', `Destination=${block}`, ...scopeOf(block)]),
    '',
  ].join('\n');
}

/** IPv6 has no scopes of routes. */
function scopeOf(block: string): string[] {
  return block.includes(':') ? [] : ['Scope=link'];
}

/** Keys stay in files: everything in a NixOS configuration can be read by every user of the machine. */
function nixos(name: string, conf: WireguardConf): string {
  const blocks = conf.allowedIps.map(quoted).join(' ');
  const keepalive = conf.persistentKeepaliveSeconds;
  return [
    '{',
    `  networking.wireguard.interfaces."${name}" = {`,
    `    ips = [ ${addressesOf(conf).map(quoted).join(' ')} ];`,
    ...(conf.mtu === undefined ? [] : [`    mtu = ${conf.mtu};`]),
    `    privateKeyFile = "/etc/wireguard/${name}.key";`,
    '    peers = [',
    '      {',
    `        publicKey = "${conf.peerPublicKey}";`,
    `        presharedKeyFile = "/etc/wireguard/${name}.psk";`,
    `        allowedIPs = [ ${blocks} ];`,
    `        endpoint = "${conf.endpoint}";`,
    ...(keepalive === undefined ? [] : [`        persistentKeepalive = ${keepalive};`]),
    '      }',
    '    ];',
    '  };',
    '}',
    '',
  ].join('\n');
}

function quoted(text: string): string {
  return `"${text}"`;
}
