import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { startMachine, until, type Machine } from '../support/machine.ts';
import {
  connectToInternet,
  importConf,
  inNetns,
  makeDevice,
  type TestDevice,
} from '../support/wireguard-phone.ts';

const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const HOST_ADDRESS = '11.2.0.1';
const SHOP = '10.64.1.2';
const NAME = 'gwwg0';
const ENDPOINT = `${HOST_ADDRESS}:51820`;

const secret = nodeCrypto.curve25519Secret();
const publicKey = encodeKey(nodeCrypto.curve25519Public(secret));
const ensure = {
  name: NAME,
  listenPort: 51820,
  privateKey: encodeKey(secret),
  address: '10.64.8.1',
  endpoint: ENDPOINT,
};
const phone = makeDevice('phone', 2);
const tablet = makeDevice('tablet', 3);
const stranger = makeDevice('stranger', 4);

const peerOf = ({ publicKey: key, address, presharedKey }: TestDevice) => ({
  publicKey: key,
  address,
  presharedKey,
});

let machine: Machine;
let gateway: Gateway;

/** A tick every 5 ms: the longest time without one is the silence. */
const SERVER = `
const http = require('node:http');
http.createServer((request, response) => {
  if (request.url === '/ticks') setInterval(() => response.write('tick\\n'), 5);
  else response.end('you are ' + request.socket.remoteAddress);
}).listen(80, '0.0.0.0', () => console.log('ready'));`;

async function allow(devices: readonly TestDevice[]): Promise<void> {
  await gateway.apply({
    services: { shop: { address: SHOP, port: 80, place: { type: 'namespace', name: 'shop' } } },
    devices: devices.map(({ publicKey: key, address }) => ({ publicKey: key, address, services: ['shop'] })),
    ports: [51820],
  });
}

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  await machine.sh('ip', 'addr', 'add', `${HOST_ADDRESS}/32`, 'dev', 'lo');
  await allow([phone, tablet, stranger]);
  await gateway.call('hub.ensure', {});
  await gateway.call('namespace.ensure', {
    service: 'shop',
    spec: { namespace: 'shop', address: SHOP, port: 80 },
  });
  const flow = { via: NAME, address: SHOP, protocol: 'tcp', port: 80 } as const;
  const flows = [phone, tablet].map(({ address }) => ({ ...flow, source: address }));
  await gateway.call('flows.replace', { flows });
  await gateway.call('wireguard.ensure', ensure);
  await gateway.call('wireguard.setPeers', { name: NAME, peers: [phone, tablet, stranger].map(peerOf) });
  const server = machine.start('nsenter', '--net=/run/netns/gw-shop', NODE, '-e', SERVER);
  await once(server.stdout ?? server, 'data');
  for (const device of [phone, tablet]) {
    await connectToInternet(machine, device);
    await importConf(machine, device, { publicKey, endpoint: ENDPOINT, pool: gateway.network.pool });
    await inNetns(machine, device.name, 'curl', '-sS', '--max-time', '5', `http://${SHOP}/`);
  }
});

afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

function open(device: TestDevice, seconds = 20): Promise<string> {
  return inNetns(machine, device.name, 'curl', '-sS', '--max-time', `${seconds}`, `http://${SHOP}/`);
}

/** Its own session is over, as after turning the tunnel off and on. */
async function importAgain(device: TestDevice): Promise<void> {
  await inNetns(machine, device.name, 'wg-quick', 'down', `/run/${device.name}.conf`);
  await importConf(machine, device, { publicKey, endpoint: ENDPOINT, pool: gateway.network.pool });
}

/** Fails while the interface is being made. */
function peersOf(): Promise<string> {
  return inNetns(machine, 'gw-hub', 'wg', 'show', NAME, 'peers');
}

interface Download {
  /** Milliseconds of the longest time in which nothing came. */
  longestSilence(): number;
  readonly count: () => number;
  readonly isOver: () => boolean;
  stop(): void;
}

async function download(device: TestDevice): Promise<Download> {
  const url = `http://${SHOP}/ticks`;
  const stream = machine.start('nsenter', `--net=/run/netns/${device.name}`, 'curl', '-sSN', url);
  const output = stream.stdout ?? stream;
  await once(output, 'data');
  let [latest, longest, count] = [performance.now(), 0, 0];
  const note = (): void => void (longest = Math.max(longest, performance.now() - latest));
  output.on('data', () => {
    note();
    latest = performance.now();
    count += 1;
  });
  return {
    longestSilence: () => (note(), longest),
    count: () => count,
    isOver: () => stream.exitCode !== null,
    stop: () => void stream.kill(),
  };
}

async function pidOf(): Promise<string> {
  return machine.sh('pgrep', '-f', `^([^ ]*/)?wireguard-go -f ${NAME}$`);
}

async function killInterface(): Promise<void> {
  const pid = await pidOf();
  await machine.sh('kill', '-9', pid);
  await until(async () =>
    // Between the two there is none.
    [pid, ''].includes(await pidOf().catch(() => '')) ? undefined : true,
  );
}

describe('when the process of the interface is killed', () => {
  it('downloads go on after a short silence, as the helper makes it anew', async () => {
    const [one, two] = [await download(phone), await download(tablet)];
    // At rest the helper asks the process every two seconds where its peers are.
    await sleep(4000);
    const before = [one.longestSilence(), two.longestSilence()];
    await killInterface();
    await sleep(4000);
    const silences = [one.longestSilence(), two.longestSilence()];
    console.log(
      `silence after kill -9 of wireguard-go: ${silences.map(Math.round).join(' and ')} ms (before: ${before.map(Math.round).join(' and ')} ms)`,
    );
    // By itself a device waits 15 s; what it takes here depends on what else the machine does.
    expect(Math.max(...silences)).toBeLessThan(3000);
    const counted = one.count();
    await sleep(300);
    expect(one.count()).toBeGreaterThan(counted);
    expect([one.isOver(), two.isOver()]).toEqual([false, false]);
    one.stop();
    two.stop();
  });

  it('keeps no keepalive that nobody asked for', async () => {
    await sleep(1500);
    expect(await inNetns(machine, 'gw-hub', 'wg', 'show', NAME, 'persistent-keepalive')).not.toMatch(/\d$/m);
  });

  it('lets nobody in who was revoked a moment before', async () => {
    await allow([phone, tablet]);
    await sleep(3000);
    await killInterface();
    const peers = await until(async () => {
      const shown = await peersOf().catch(() => '');
      return shown === '' ? undefined : shown;
    });
    expect(peers.split('\n').sort()).toEqual([phone.publicKey, tablet.publicKey].sort());
    await allow([phone, tablet, stranger]);
  });

  it('stays away when it was removed on purpose, and is watched again when it is back', async () => {
    await gateway.call('wireguard.remove', { name: NAME });
    await sleep(500);
    expect((await gateway.call('observe', {})).wireguard).toEqual([]);
    await gateway.call('wireguard.ensure', ensure);
    await gateway.call('wireguard.setPeers', { name: NAME, peers: [peerOf(phone), peerOf(tablet)] });
    await importAgain(phone);
    expect(await open(phone)).toBe('you are 10.64.8.2');
  });
});

describe('when helper and interface die together, as at a power cut', () => {
  it('devices are sent a packet to where they were last, and downloads go on', async () => {
    const stream = await download(phone);
    await sleep(200);
    // Every pass of the daemon looks, and what it sees of the devices is kept.
    await gateway.call('observe', {});
    await gateway.kill();
    await machine.sh('kill', '-9', await pidOf());
    await sleep(500);
    await gateway.restart();
    await gateway.call('wireguard.ensure', ensure);
    const startedAt = performance.now();
    const counted = stream.count();
    await gateway.call('wireguard.setPeers', { name: NAME, peers: [peerOf(phone), peerOf(tablet)] });
    await until(async () =>
      (await inNetns(machine, 'gw-hub', 'wg', 'show', NAME, 'latest-handshakes')).includes(
        `${phone.publicKey}\t0`,
      )
        ? undefined
        : true,
    );
    const tookMs = Math.round(performance.now() - startedAt);
    console.log(`from setting the peers to the first session: ${tookMs} ms`);
    expect(tookMs).toBeLessThan(2000);
    await until(async () => (stream.count() > counted ? true : undefined));
    stream.stop();
  });

  it('takes a damaged file of endpoints for none', async () => {
    await gateway.call('wireguard.remove', { name: NAME });
    await writeFile(machine.outside('/run/gw-root/lib/gwwg0.endpoints'), '{"half');
    await gateway.call('wireguard.ensure', ensure);
    await gateway.call('wireguard.setPeers', { name: NAME, peers: [peerOf(phone)] });
    expect((await gateway.call('observe', {})).wireguard[0]?.peers[0]?.endpoint).toBeUndefined();
  });
});

describe('roaming', () => {
  it('a download goes on when the phone gets another address and port', async () => {
    const name = phone.name;
    await importAgain(phone);
    await open(phone, 20);
    const stream = await download(phone);
    await inNetns(machine, name, 'ip', 'addr', 'del', '11.2.2.2/24', 'dev', 'net0');
    await inNetns(machine, name, 'ip', 'addr', 'add', '11.2.2.77/24', 'dev', 'net0');
    await inNetns(machine, name, 'ip', 'route', 'replace', 'default', 'via', '11.2.2.1');
    await inNetns(machine, name, 'wg', 'set', name, 'listen-port', '40001');
    const counted = stream.count();
    // The gateway learns the new place from the first packet: a request here, a keepalive at the latest.
    expect(await open(phone)).toBe('you are 10.64.8.2');
    await until(async () => (stream.count() > counted + 20 ? true : undefined));
    const [peer] = (await gateway.call('observe', {})).wireguard[0]?.peers ?? [];
    expect(peer?.endpoint).toBe('11.2.2.77:40001');
    expect(stream.isOver()).toBe(false);
    console.log(`silence after the phone moved: ${Math.round(stream.longestSilence())} ms`);
    stream.stop();
  });
});
