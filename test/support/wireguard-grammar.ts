import { isIPv6 } from 'node:net';

/**
 * The configuration grammar of the two official apps, written down again from their sources and not from ours:
 * Android com.wireguard.config (Config, Interface, Peer, InetNetwork) and iOS TunnelConfiguration+WgQuickConfig.
 * Anything that either of them refuses is refused here.
 */
const INTERFACE_KEYS = ['privatekey', 'listenport', 'address', 'dns', 'mtu'];
const PEER_KEYS = ['publickey', 'presharedkey', 'allowedips', 'endpoint', 'persistentkeepalive'];
/** iOS: every other key may stand once in a section. */
const REPEATABLE = ['address', 'allowedips', 'dns'];

type Section = Map<string, string>;

export interface ParsedConf {
  readonly interface: Readonly<Record<string, string>>;
  readonly peers: readonly Readonly<Record<string, string>>[];
}

export function parseConf(text: string): ParsedConf {
  const sections: { name: string; entries: Section }[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.split('#', 1)[0]?.trim() ?? '';
    if (line === '') continue;
    if (/^\[(interface|peer)\]$/i.test(line)) {
      sections.push({ name: line.slice(1, -1).toLowerCase(), entries: new Map() });
      continue;
    }
    const section = sections.at(-1);
    const equals = line.indexOf('=');
    if (section === undefined || equals < 1) throw new Error(`line without section or "=": ${line}`);
    addEntry(section, line.slice(0, equals).trim().toLowerCase(), line.slice(equals + 1).trim());
  }
  return checkWhole(sections);
}

function addEntry(section: { name: string; entries: Section }, key: string, value: string): void {
  const allowed = section.name === 'interface' ? INTERFACE_KEYS : PEER_KEYS;
  if (!allowed.includes(key)) throw new Error(`unknown key in [${section.name}]: ${key}`);
  if (value === '') throw new Error(`${key} has no value`);
  const before = section.entries.get(key);
  if (before !== undefined && !REPEATABLE.includes(key)) throw new Error(`${key} stands twice`);
  checkValue(key, value);
  section.entries.set(key, before === undefined ? value : `${before},${value}`);
}

function checkWhole(sections: readonly { name: string; entries: Section }[]): ParsedConf {
  const interfaces = sections.filter((section) => section.name === 'interface');
  const peers = sections.filter((section) => section.name === 'peer');
  const own = interfaces[0];
  if (own === undefined || interfaces.length > 1) throw new Error('there must be one [Interface]');
  if (!own.entries.has('privatekey')) throw new Error('[Interface] has no PrivateKey');
  const keys = peers.map((peer) => peer.entries.get('publickey'));
  if (keys.includes(undefined)) throw new Error('[Peer] has no PublicKey');
  if (new Set(keys).size !== keys.length) throw new Error('two peers have the same PublicKey');
  return {
    interface: Object.fromEntries(own.entries),
    peers: peers.map((peer) => Object.fromEntries(peer.entries)),
  };
}

function checkValue(key: string, value: string): void {
  const isGood = CHECKS[key]?.(value) ?? false;
  if (!isGood) throw new Error(`${key} cannot be ${value}`);
}

const isKeyText = (text: string): boolean =>
  /^[A-Za-z0-9+/=]{44}$/.test(text) &&
  Buffer.from(text, 'base64').length === 32 &&
  Buffer.from(text, 'base64').toString('base64') === text;

const isNumber = (least: number, most: number) => (text: string) =>
  /^[0-9]+$/.test(text) && Number(text) >= least && Number(text) <= most;

const isNetwork = (text: string): boolean => {
  const [address = '', bits, ...rest] = text.trim().split('/');
  if (isIPv6(address)) {
    return rest.length === 0 && !address.includes('%') && (bits === undefined || isNumber(0, 128)(bits));
  }
  const octets = address.split('.');
  const isAddress =
    octets.length === 4 && octets.every((octet) => /^[0-9]{1,3}$/.test(octet) && Number(octet) < 256);
  return rest.length === 0 && isAddress && (bits === undefined || isNumber(0, 32)(bits));
};

const CHECKS: Readonly<Record<string, (value: string) => boolean>> = {
  privatekey: isKeyText,
  publickey: isKeyText,
  presharedkey: isKeyText,
  listenport: isNumber(0, 65535),
  mtu: isNumber(576, 65535),
  persistentkeepalive: (value) => value === 'off' || isNumber(0, 65535)(value),
  address: (value) => value.split(',').every(isNetwork),
  allowedips: (value) => value.split(',').every(isNetwork),
  dns: (value) => value.split(',').every((item) => item.trim() !== ''),
  endpoint: (value) => /^(\[[0-9a-f:.]+\]|[^\s/?#:[\]]+):[0-9]{1,5}$/i.test(value),
};
