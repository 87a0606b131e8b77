import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { formatIpv6 } from '../../src/core/inet6.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab, type LabNode } from '../../src/lab/index.ts';
import { environmentOutside } from '../../src/lab/places.ts';
import type { Argv } from '../../src/system/run.ts';

/** A home behind a router, with IPv6 that needs no NAT, with a printer and a cloud's metadata in its LAN, a web server and a Tor network outside. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home that lets services out, a web server, a private Tor network',
    nodes: {
      core: { kind: 'router', routes: [{ to: '2b00:50::/64', via: '2b00:2::2' }] },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      dns: {
        defaultRoute: '11.4.0.1',
        services: [{ type: 'dns', zone: 'lab.test', names: { web: '11.1.0.2' } }],
      },
      router: {
        kind: 'router',
        defaultRoute: '11.2.0.1',
        routes: [{ to: '::/0', via: '2b00:2::1' }],
        nat: { outside: 'uplink' },
      },
      home: { defaultRoute: '192.168.50.1', routes: [{ to: '::/0', via: '2b00:50::1' }] },
      metadata: {
        defaultRoute: '192.168.50.1',
        services: [{ type: 'page', port: 80, title: 'the secrets of the cloud' }],
      },
      web: {
        defaultRoute: '11.1.0.1',
        routes: [{ to: '::/0', via: '2b00:1::1' }],
        services: [{ type: 'page', port: 80, title: 'the web' }],
      },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' },
      uplink: { core: ['11.2.0.1/24', '2b00:2::1/64'], router: ['11.2.0.2/24', '2b00:2::2/64'] },
      lan: {
        router: ['192.168.50.1/24', '2b00:50::1/64'],
        home: ['192.168.50.10/24', '2b00:50::10/64'],
        metadata: ['192.168.50.30/24', '169.254.169.254/16'],
      },
      hosting: { core: ['11.1.0.1/24', '2b00:1::1/64'], web: ['11.1.0.2/24', '2b00:1::2/64'] },
    },
  },
  'isolation',
);
/** Of the gateway: the twin of 10.64.1.2 is fd12:3456:789a::a40:102. */
export const ULA = 'fd12:3456:789a::/48';
const CONFIG = `ula: ${ULA}
services:
  hidden: { port: 80, kind: http, egress: tor, expose: { tor: {} } }
  mute: { port: 80, kind: http, expose: { tor: {} } }
  open: { port: 80, kind: http, egress: direct, expose: { tor: {} } }
`;
export const EXIT = '11.9.0.14';
export const ROUTER = '11.2.0.2';
export const WEB = '11.1.0.2';
export const HOST = '192.168.50.10';
export const HOST6 = '2b00:50::10';
export const WEB6 = '2b00:1::2';
export const METADATA = '169.254.169.254';
const NODE = '/opt/gateway/node_modules/.bin/node';

/** Greets whoever connects by TCP and answers each datagram, on each port that it is given, in both families. */
const GREETER = `
const [name, ...ports] = process.argv.slice(1);
for (const port of ports.map(Number)) {
  require('node:net').createServer((socket) => socket.on('error', () => {}).end(name)).listen(port);
  const udp = require('node:dgram').createSocket('udp6');
  udp.on('message', (_message, from) => udp.send(name, from.port, from.address)).bind(port);
}
`;

/** \`tcp:HOST:PORT\`, \`udp:HOST:PORT\` and \`unix:PATH\`: prints those that gave a byte, or that accepted a socket. */
const SCANNER = `
const net = require('node:net');
const found = (target, text) => console.log(target + ' ' + String(text).slice(0, 20));
for (const target of process.argv.slice(1)) {
  const [, protocol, host, port] = /^(\\w+):\\[?(.*?)\\]?(?::(\\d+))?$/.exec(target);
  if (protocol === 'unix') net.connect(host).on('connect', () => found(target, 'accepts')).on('error', () => {});
  if (protocol === 'tcp') {
    const socket = net.connect({ host, port: Number(port) }, () => socket.write('GET / HTTP/1.0\\r\\n\\r\\n'));
    socket.on('data', (data) => { found(target, data); socket.destroy(); }).on('error', () => {});
  }
  if (protocol === 'udp') {
    const udp = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
    udp.on('message', (data) => found(target, data)).on('error', () => {});
    udp.send('x', Number(port), host, () => {});
  }
}
setTimeout(() => process.exit(), 1800);
`;

export interface Isolation {
  readonly lab: Lab;
  readonly gateway: LabGateway;
  readonly home: LabNode;
  /** Address in the pool by service. */
  readonly addresses: Readonly<Record<string, string>>;
  /** As root inside the namespace of a service; `undefined`: on the host. Its output, and that of a failure. */
  within(service: string | undefined, ...argv: Argv): Promise<string>;
  /** What answered, one line each, sorted. */
  scan(service: string | undefined, targets: readonly string[]): Promise<string[]>;
  /** A page as text; empty when it does not come. */
  fetch(service: string | undefined, url: string, ...more: readonly string[]): Promise<string>;
}

/** With listeners that nobody declared on the host and in each namespace: on port 8081, TCP and UDP. */
export async function startIsolation(signal: AbortSignal): Promise<Isolation> {
  const lab = await startLab(TOPOLOGY, { signal });
  const gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  const home = gateway.node;
  await home.run(['ip', 'route', 'add', `${METADATA}/32`, 'dev', 'lan'], { signal });
  await gateway.command(signal, 'up');
  const { services } = await gateway.status(signal);
  const enter = (service: string | undefined, argv: Argv): Argv =>
    service === undefined ? argv : ['ip', 'netns', 'exec', `gw-${service}`, ...argv];
  const within = async (service: string | undefined, ...argv: Argv): Promise<string> => {
    const accept = Array.from({ length: 140 }, (_, code) => code);
    const ran = await home.run(enter(service, argv), { signal, accept });
    return (ran.stdout + ran.stderr).trim();
  };
  for (const service of [undefined, 'hidden', 'mute', 'open']) {
    const greeter = [NODE, '-e', GREETER, service ?? 'host', '80', '8081'] as const;
    await home.detach(enter(service, [...greeter]), { logFile: `${home.directory}/greeter.log` });
  }
  return {
    lab,
    gateway,
    home,
    addresses: Object.fromEntries(services.map(({ name, address }) => [name, address])),
    within,
    scan: async (service, targets) => {
      const said = await within(service, NODE, '-e', SCANNER, ...targets);
      return said
        .split('\n')
        .filter((line) => line !== '')
        .sort();
    },
    fetch: async (service, url, ...more) => {
      const said = await within(service, 'curl', '-sS', '--max-time', '8', ...more, url);
      return said.startsWith('curl:') ? '' : said;
    },
  };
}

/** Everything that the home sends over an interface, until it is stopped; then what was seen. */
export async function capture(home: LabNode, link: string): Promise<() => Promise<Captured>> {
  const file = `${home.directory}/${link}.pcap`;
  const argv = home.argv([
    'tcpdump',
    '-i',
    link,
    '-Q',
    'out',
    '-Z',
    'root',
    '-U',
    // Else the last second's packets stay in the kernel when it ends.
    '--immediate-mode',
    '-s',
    '0',
    '-w',
    file,
    'ip or ip6',
  ]);
  const dump = spawn(argv[0], argv.slice(1), {
    env: environmentOutside(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await once(dump.stderr, 'data');
  return async () => {
    const ended = once(dump, 'exit');
    // nsenter passes no signals on: the program itself is asked to end.
    await home.run(['pkill', '-INT', 'tcpdump'], { signal: AbortSignal.timeout(5000) });
    await ended;
    const { readFile } = await import('node:fs/promises');
    return readCapture(await readFile(file));
  };
}

export interface Captured {
  readonly packets: readonly {
    readonly source: string;
    readonly destination: string;
    readonly isIpv6: boolean;
    /** Neighbour discovery and multicast listeners: a host's own affair with its link. */
    readonly isOfLink: boolean;
  }[];
  contains(text: string): boolean;
}

/** pcap with Ethernet frames (libpcap's savefile format). */
function readCapture(file: Buffer): Captured {
  const packets = [];
  for (let at = 24; at + 16 <= file.length;) {
    const length = file.readUInt32LE(at + 8);
    const frame = file.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    const isIpv6 = frame.readUInt16BE(12) === 0x86dd;
    packets.push(isIpv6 ? readIpv6(frame) : readIpv4(frame));
  }
  return { packets, contains: (text) => file.includes(text) };
}

function readIpv4(frame: Buffer): Captured['packets'][number] {
  const address = (from: number): string => [...frame.subarray(from, from + 4)].join('.');
  return { source: address(26), destination: address(30), isIpv6: false, isOfLink: false };
}

function readIpv6(frame: Buffer): Captured['packets'][number] {
  const address = (from: number): string =>
    formatIpv6(BigInt(`0x${frame.subarray(from, from + 16).toString('hex')}`));
  const [nextHeader = 0, hopLimit = 0] = frame.subarray(20, 22);
  const isDiscovery = nextHeader === 58 && hopLimit === 255;
  // MLD comes with a hop-by-hop option.
  const isOfLink = isDiscovery || (nextHeader === 0 && hopLimit === 1);
  return { source: address(22), destination: address(38), isIpv6: true, isOfLink };
}
