import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { NODE_INSIDE, parseTopology, startLab, type LabNode } from '../../src/lab/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { medianOf, type Figure } from './figure.ts';

const BYTES = 300_000_000;
const RUNS = 3;
const BARE_PORT = 51_821;

const TOPOLOGY = parseTopology(
  {
    nodes: {
      home: { defaultRoute: '192.168.50.1' },
      router: {
        kind: 'router',
        nat: { outside: 'uplink' },
        forwards: [51_820, BARE_PORT].map((port) => ({ protocol: 'udp', port, to: `192.168.50.10:${port}` })),
      },
      phone: {},
    },
    networks: {
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
      uplink: { router: '11.2.0.2/24', phone: '11.2.0.1/24' },
    },
  },
  'bench',
);

const CONFIG = `wireguard: { endpoint: "11.2.0.2:51820" }
services: { shop: { port: 80, kind: http, expose: { wireguard: {} } } }
`;

/** A download over WireGuard: through the gateway's hub into a namespace, and bare between the same two machines. */
export async function benchThroughput(signal: AbortSignal): Promise<Figure[]> {
  await using lab = await startLab(TOPOLOGY, { signal });
  const gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 80);
  const phone = new Phone(lab.node('phone'));
  const code = join(lab.directory, 'code.png');
  await gateway.command(signal, 'device', 'add', 'phone', '--service', 'shop', '--no-wait', '--png', code);
  await phone.scan(code, signal);
  const ends = [lab.node('home'), lab.node('phone')] as const;
  await bareWireguard(ends, BARE_PORT, `11.2.0.2:${BARE_PORT}`, signal);
  const through: number[] = [];
  const bare: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    through.push(await speed(lab.node('phone'), 'http://10.64.1.2', signal));
    bare.push(await speed(lab.node('phone'), 'http://10.200.0.1:8081', signal));
  }
  const value = medianOf(through);
  return [
    { what: 'bare WireGuard', value: medianOf(bare), unit: 'Mbit/s', goal: 'the rival' },
    {
      what: 'through the gateway to a namespaced service',
      value,
      unit: 'Mbit/s',
      against: 'bare WireGuard',
      ratio: value / medianOf(bare),
      goal: 'at least 0.95',
    },
  ];
}

/** Both ends dial: `near` serves at 10.200.0.1:8081, `far` visits. `endpoint`: where `far` finds `near`. */
export async function bareWireguard(
  [near, far]: readonly [LabNode, LabNode],
  port: number,
  endpoint: string,
  signal: AbortSignal,
): Promise<void> {
  const [home, phone] = [nodeCrypto.curve25519Secret(), nodeCrypto.curve25519Secret()];
  const peerOf = (secret: Uint8Array): string => base64(nodeCrypto.curve25519Public(secret));
  await tunnel(
    near,
    '10.200.0.1',
    home,
    ['listen-port', `${port}`, 'peer', peerOf(phone), 'allowed-ips', '10.200.0.2/32'],
    signal,
  );
  await tunnel(
    far,
    '10.200.0.2',
    phone,
    ['peer', peerOf(home), 'allowed-ips', '10.200.0.1/32', 'endpoint', endpoint],
    signal,
  );
  const shop = '/opt/gateway/dist/src/lab/shop.js';
  await near.detach([NODE_INSIDE, shop, '8081'], { logFile: join(near.directory, 'bare.log') });
}

async function tunnel(
  node: LabNode,
  address: string,
  secret: Uint8Array,
  settings: string[],
  signal: AbortSignal,
): Promise<void> {
  const key = join(node.directory, 'bare.key');
  await writeFile(key, base64(secret), { mode: 0o600 });
  await node.run(['sh', '-c', `"$(command -v wireguard-go-later || echo wireguard-go)" wgbare`], { signal });
  await node.run(['wg', 'set', 'wgbare', 'private-key', key, ...settings], { signal });
  await node.run(['ip', 'addr', 'add', `${address}/24`, 'dev', 'wgbare'], { signal });
  await node.run(['ip', 'link', 'set', 'wgbare', 'mtu', '1420', 'up'], { signal });
}

/** Mbit/s of one download. */
export async function speed(node: LabNode, url: string, signal: AbortSignal): Promise<number> {
  const retry = ['--retry', '5', '--retry-connrefused', '--retry-delay', '1'];
  const argv = [
    'curl',
    '-sS',
    '--fail',
    ...retry,
    '-o',
    '/dev/null',
    '-w',
    '%{speed_download}',
    `${url}/download?bytes=${BYTES}`,
  ] as const;
  const { stdout } = await node.run([...argv], { signal, timeoutMs: 120_000 });
  return (Number(stdout) * 8) / 1e6;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
