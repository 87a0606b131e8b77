import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import {
  WireguardInterface,
  type OperationArguments,
  type OperationName,
} from '../../src/core/operations.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeKey, renderConf } from '../../src/wire/wireguard.ts';
import { Sandbox } from '../support/sandbox.ts';

const NODE = join(import.meta.dirname, '../../node_modules/.bin/node');
const CALL = join(import.meta.dirname, '../support/helper-call.ts');
const HOST_ADDRESS = '11.2.0.1';
const NAME = 'gwwg0';
const HUB = 'gw-hub';

const network = networkFor('gw', '10.64.0.0/20');
const gatewaySecret = nodeCrypto.curve25519Secret();
const ensureInput = {
  network,
  name: NAME,
  listenPort: 51820,
  privateKey: encodeKey(gatewaySecret),
  address: '10.64.8.1',
  endpoint: `${HOST_ADDRESS}:51820`,
};

let sandbox: Sandbox;

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

async function answerOf(operation: OperationName, input: unknown): Promise<Answer> {
  const argv = [NODE, CALL, sandbox.root, operation] as const;
  const { stdout } = await sandbox.run([...argv], { input: JSON.stringify(input) });
  return JSON.parse(stdout) as Answer;
}

async function call<Name extends OperationName>(
  operation: Name,
  input: OperationArguments<Name>,
): Promise<unknown> {
  const { result, error } = await answerOf(operation, input);
  expect(error).toBeUndefined();
  return result;
}

async function observed(): Promise<WireguardInterface[]> {
  return WireguardInterface.array().parse(await call('observe', { network }));
}

/** A device with keys; its phone is a network namespace of the same name, on a network of its own. */
function makeDevice(name: string, number: number) {
  const secret = nodeCrypto.curve25519Secret();
  return {
    name,
    number,
    address: `10.64.8.${number}`,
    outside: `11.2.${number}.2`,
    privateKey: encodeKey(secret),
    publicKey: encodeKey(nodeCrypto.curve25519Public(secret)),
    presharedKey: encodeKey(randomBytes(32)),
  };
}
type TestDevice = ReturnType<typeof makeDevice>;

const phone = makeDevice('phone', 2);
const tablet = makeDevice('tablet', 3);

function confOf(device: TestDevice, publicKey: string): string {
  return renderConf({
    privateKey: device.privateKey,
    address: device.address,
    peerPublicKey: publicKey,
    presharedKey: device.presharedKey,
    allowedIps: [network.pool],
    endpoint: `${HOST_ADDRESS}:51820`,
    persistentKeepaliveSeconds: 25,
  });
}

async function connectToInternet(device: TestDevice): Promise<void> {
  const { name, number, outside } = device;
  await sandbox.run(['ip', 'netns', 'add', name]);
  await sandbox.run([
    'ip',
    'link',
    'add',
    `to${name}`,
    'type',
    'veth',
    'peer',
    'name',
    'net0',
    'netns',
    name,
  ]);
  await sandbox.run(['ip', 'addr', 'add', `11.2.${number}.1/24`, 'dev', `to${name}`]);
  await sandbox.run(['ip', 'link', 'set', `to${name}`, 'up']);
  await sandbox.runIn(name, ['ip', 'addr', 'add', `${outside}/24`, 'dev', 'net0']);
  await sandbox.runIn(name, ['ip', 'link', 'set', 'net0', 'up']);
  await sandbox.runIn(name, ['ip', 'route', 'add', 'default', 'via', `11.2.${number}.1`]);
}

async function importConf(device: TestDevice): Promise<void> {
  const file = join(sandbox.root, `${device.name}.conf`);
  await writeFile(file, confOf(device, encodeKey(nodeCrypto.curve25519Public(gatewaySecret))), {
    mode: 0o600,
  });
  // With LOG_LEVEL set, the wireguard-go of the phone would keep our pipes open for ever.
  const choice = 'WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go';
  await sandbox.runIn(device.name, ['env', '--unset=LOG_LEVEL', choice, 'wg-quick', 'up', file]);
}

async function setPeer(device: TestDevice): Promise<void> {
  const { publicKey, address, presharedKey } = device;
  await call('wireguard.setPeer', { network, name: NAME, peer: { publicKey, address }, presharedKey });
}

/** Exit code 28: no answer in time. */
async function open(device: TestDevice, seconds = 5): Promise<string> {
  const argv = ['curl', '-sS', '--max-time', `${seconds}`, 'http://10.64.1.2/'] as const;
  const { stdout, exitCode } = await sandbox.runIn(device.name, [...argv], { accept: [0, 28] });
  return exitCode === 0 ? stdout : 'no answer';
}

async function dump(): Promise<string> {
  return (await sandbox.runIn(HUB, ['wg', 'show', NAME, 'dump'])).stdout;
}

async function pidOfWireguardGo(): Promise<string> {
  return (await sandbox.run(['pgrep', '-f', `^wireguard-go -f ${NAME}$`])).stdout.trim();
}

/** Another program takes a UDP port; returns what makes it give the port back. */
async function take(family: 'udp4' | 'udp6', port: number): Promise<() => Promise<unknown>> {
  const script = `require('node:dgram').createSocket('${family}').bind(${port}, () => console.log('ready'))`;
  const holder = sandbox.start([NODE, '-e', script]);
  await once(holder.stdout ?? holder, 'data');
  return async () => {
    const ended = once(holder, 'exit');
    await sandbox.run(['pkill', '-f', 'node:dgram']);
    return ended;
  };
}

async function killCaller(caller: ChildProcess): Promise<void> {
  while (caller.exitCode === null && caller.signalCode === null) {
    await sandbox.run(['pkill', '-KILL', '-f', 'helper-call.ts'], { accept: [0, 1] });
    await sleep(20);
  }
}

const SERVER = `
const http = require('node:http');
http.createServer((request, response) => {
  if (request.url === '/stream') setInterval(() => response.write('tick\\n'), 50);
  else response.end('you are ' + request.socket.remoteAddress);
}).listen(80, '0.0.0.0', () => console.log('ready'));`;

beforeAll(async () => {
  sandbox = await Sandbox.open();
  await sandbox.run(['ip', 'addr', 'add', `${HOST_ADDRESS}/32`, 'dev', 'lo']);
  await connectToInternet(phone);
  await connectToInternet(tablet);
  await call('hub.ensure', { network });
  const spec = { namespace: 'shop', address: '10.64.1.2', port: 80 };
  await call('namespace.ensure', { network, service: 'shop', spec });
  const flow = { via: NAME, address: '10.64.1.2', protocol: 'tcp', port: 80 } as const;
  const flows = [phone, tablet].map(({ address }) => ({ ...flow, source: address }));
  await call('flows.replace', { network, flows });
  const server = sandbox.start(['nsenter', '--net=/run/netns/gw-shop', NODE, '-e', SERVER]);
  await once(server.stdout ?? server, 'data');
});

afterAll(() => sandbox.close());

describe('the WireGuard interface in the hub', () => {
  it('refuses an interface that is not ours', async () => {
    await sandbox.run(['ip', 'link', 'add', 'wg0', 'type', 'veth', 'peer', 'name', 'wg0peer']);
    const { error } = await answerOf('wireguard.remove', { network, name: 'wg0' });
    expect(error?.code).toBe('AlreadyExists');
    expect((await sandbox.run(['ip', '-o', 'link', 'show', 'wg0'])).stdout).toContain('wg0');
  });

  it('says who holds the port when it is taken', async () => {
    const release = await take('udp4', 51820);
    const { error } = await answerOf('wireguard.ensure', ensureInput);
    await release();
    expect(error?.code).toBe('PortInUse');
    expect(error?.message).toMatch(/^UDP port 51820 is taken by node \(process \d+\)$/);
  });

  it('is made, completed and told', async () => {
    await call('wireguard.ensure', ensureInput);
    expect(await observed()).toEqual([
      {
        name: NAME,
        publicKey: encodeKey(nodeCrypto.curve25519Public(gatewaySecret)),
        listenPort: 51820,
        address: '10.64.8.1',
        endpoint: `${HOST_ADDRESS}:51820`,
        implementation: 'wireguard-go',
        peers: [],
      },
    ]);
    const inHost = await sandbox.run(['ip', '-br', 'link']);
    expect(inHost.stdout).not.toContain(NAME);
    expect((await sandbox.run(['ss', '-Huln', 'sport = :51820'])).stdout).toContain(':51820');
    expect((await sandbox.runIn(HUB, ['ss', '-Huln'])).stdout).toBe('');
  });

  it('lets a phone in that imported the conf, and the service sees its own address', async () => {
    await setPeer(phone);
    await importConf(phone);
    expect(await open(phone)).toBe('you are 10.64.8.2');
    const [peer] = (await observed())[0]?.peers ?? [];
    expect(peer).toMatchObject({ publicKey: phone.publicKey, address: phone.address });
    expect(peer?.endpoint).toMatch(/^11\.2\.2\.2:\d+$/);
    expect(Math.abs((peer?.latestHandshake ?? 0) - Date.now() / 1000)).toBeLessThan(30);
  });

  it('stays as it is when it is ensured again', async () => {
    const before = await dump();
    const pid = await pidOfWireguardGo();
    await call('wireguard.ensure', ensureInput);
    await setPeer(phone);
    expect(await pidOfWireguardGo()).toBe(pid);
    const fields = (text: string): string[] => text.split('\t').filter((_, index) => index < 9);
    expect(fields(await dump())).toEqual(fields(before));
    expect(await open(phone, 1)).toBe('you are 10.64.8.2');
  });

  it('carries on when the process that made it is killed', async () => {
    const caller = sandbox.start([NODE, CALL, sandbox.root, 'wireguard.ensure', 'stay']);
    caller.stdin?.end(JSON.stringify(ensureInput));
    await once(caller.stdout ?? caller, 'data');
    const pid = await pidOfWireguardGo();
    await killCaller(caller);
    expect(await pidOfWireguardGo()).toBe(pid);
    expect(await open(phone, 1)).toBe('you are 10.64.8.2');
  });

  it('keeps its port and its sessions when the new port is taken, and moves in place when it is free', async () => {
    const release = await take('udp6', 51999);
    const moved = { ...ensureInput, listenPort: 51999 };
    const { error } = await answerOf('wireguard.ensure', moved);
    await release();
    expect(error?.code).toBe('PortInUse');
    expect((await observed())[0]?.listenPort).toBe(51820);
    expect(await open(phone, 2)).toBe('you are 10.64.8.2');
    const pid = await pidOfWireguardGo();
    await call('wireguard.ensure', moved);
    expect((await observed())[0]?.listenPort).toBe(51999);
    expect(await pidOfWireguardGo()).toBe(pid);
    await call('wireguard.ensure', ensureInput);
    expect(await open(phone)).toBe('you are 10.64.8.2');
  });

  it('takes another private key and address in place', async () => {
    const secret = nodeCrypto.curve25519Secret();
    const changed = {
      ...ensureInput,
      privateKey: encodeKey(secret),
      address: '10.64.8.9',
      endpoint: 'home.example:1',
    };
    await call('wireguard.ensure', changed);
    expect((await observed())[0]).toMatchObject({
      publicKey: encodeKey(nodeCrypto.curve25519Public(secret)),
      address: '10.64.8.9',
      endpoint: 'home.example:1',
    });
    await call('wireguard.ensure', ensureInput);
    expect(await open(phone, 20)).toBe('you are 10.64.8.2');
  });

  it('is repaired when it is down or lost its route', async () => {
    await sandbox.runIn(HUB, ['ip', 'link', 'set', NAME, 'down']);
    expect((await observed())[0]?.address).toBe('');
    await call('wireguard.ensure', ensureInput);
    expect((await observed())[0]).toMatchObject({ address: '10.64.8.1', listenPort: 51820 });
    await sandbox.runIn(HUB, ['ip', 'route', 'del', '10.64.8.0/21', 'dev', NAME]);
    expect((await observed())[0]?.address).toBe('');
    await call('wireguard.ensure', ensureInput);
    expect(await open(phone, 10)).toBe('you are 10.64.8.2');
  });
});

describe('revoking a device', () => {
  it('cuts an open connection at once and disturbs nobody else', async () => {
    await setPeer(tablet);
    await importConf(tablet);
    expect(await open(tablet)).toBe('you are 10.64.8.3');
    let latest = 0;
    const url = 'http://10.64.1.2/stream';
    const stream = sandbox.start(['nsenter', '--net=/run/netns/phone', 'curl', '-sSN', url]);
    stream.stdout?.on('data', () => (latest = Date.now()));
    await once(stream.stdout ?? stream, 'data');
    await call('wireguard.removePeer', { network, name: NAME, publicKey: phone.publicKey });
    const revoked = Date.now();
    await sleep(1000);
    expect(latest - revoked).toBeLessThan(200);
    expect(await open(phone, 1)).toBe('no answer');
    expect(await open(tablet, 1)).toBe('you are 10.64.8.3');
    const entries = await sandbox.runIn(HUB, ['conntrack', '-L', '-s', phone.address], { accept: [0, 1] });
    expect(entries.stdout).toBe('');
    expect((await observed())[0]?.peers.map((peer) => peer.publicKey)).toEqual([tablet.publicKey]);
    stream.kill();
  });

  it('twice, or of a device that never was, is fine', async () => {
    await call('wireguard.removePeer', { network, name: NAME, publicKey: phone.publicKey });
  });
});

describe('an interface that was half made', () => {
  it.each([160, 200, 240, 280, 340])('and killed after %i ms is completed', async (delayMs) => {
    await call('wireguard.remove', { network, name: NAME });
    const caller = sandbox.start([NODE, CALL, sandbox.root, 'wireguard.ensure', 'stay']);
    caller.stdin?.end(JSON.stringify(ensureInput));
    await sleep(delayMs);
    await killCaller(caller);
    await call('wireguard.ensure', ensureInput);
    expect(await observed()).toMatchObject([
      { name: NAME, address: '10.64.8.1', listenPort: 51820, peers: [] },
    ]);
    expect((await pidOfWireguardGo()).split('\n')).toHaveLength(1);
    await setPeer(tablet);
    const keys = await sandbox.run(['find', join(sandbox.root, 'run'), '-name', '.secret-*', '-size', '+0']);
    expect(keys.stdout).toBe('');
  });

  it('is made anew when only its process is left', async () => {
    const pid = await pidOfWireguardGo();
    await sandbox.run(['kill', '-STOP', pid]);
    await sandbox.runIn(HUB, ['ip', 'link', 'del', NAME]);
    await call('wireguard.ensure', ensureInput);
    expect(await pidOfWireguardGo()).not.toBe(pid);
    expect(await observed()).toMatchObject([{ address: '10.64.8.1', listenPort: 51820 }]);
  });
});

it('leaves nothing behind when it is removed', async () => {
  await call('wireguard.remove', { network, name: NAME });
  expect(await observed()).toEqual([]);
  const { stdout } = await sandbox.run(['pgrep', '-f', `^wireguard-go -f ${NAME}$`], { accept: [0, 1] });
  expect(stdout).toBe('');
  const sockets = await sandbox.run(['ls', '/run/wireguard']);
  expect(sockets.stdout).not.toContain(NAME);
  await call('wireguard.remove', { network, name: NAME });
});
