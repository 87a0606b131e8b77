import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import { GatewayError } from '../../src/core/errors.ts';
import {
  OPERATIONS,
  type OperationArguments,
  type OperationName,
  type WireguardInterface,
} from '../../src/core/operations.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { startMachine, type Machine } from '../support/machine.ts';
import {
  connectToInternet,
  importConf,
  inNetns as enter,
  makeDevice,
  type TestDevice,
} from '../support/wireguard-phone.ts';

const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const CALL = resolve(import.meta.dirname, '../support/helper-call.ts');
/** Inside the machine. */
const ROOT = '/run/gw-root';
const HOST_ADDRESS = '11.2.0.1';
const NAME = 'gwwg0';
const HUB = 'gw-hub';
const SHOP = '10.64.1.2';

const network = networkFor('gw', '10.64.0.0/20');
const gatewaySecret = nodeCrypto.curve25519Secret();
const gatewayKey = encodeKey(nodeCrypto.curve25519Public(gatewaySecret));
const ensureInput = {
  network,
  name: NAME,
  listenPort: 51820,
  privateKey: encodeKey(gatewaySecret),
  address: '10.64.8.1',
  endpoint: `${HOST_ADDRESS}:51820`,
};

let machine: Machine;

function inNetns(netns: string, ...argv: string[]): Promise<string> {
  return enter(machine, netns, ...argv);
}

/** `undefined` when the command says no. */
async function attempt(answer: Promise<string>): Promise<string | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'CommandFailed') return undefined;
    throw error;
  }
}

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** Every operation in a process of its own: nothing that it remembers can help the next. */
async function answerOf(operation: OperationName, input: unknown): Promise<Answer> {
  return JSON.parse(await machine.sh(NODE, CALL, ROOT, operation, JSON.stringify(input))) as Answer;
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
  return OPERATIONS.observe.result.parse(await call('observe', { network })).wireguard;
}

function startEnsuring(): ChildProcess {
  return machine.start(NODE, CALL, ROOT, 'wireguard.ensure', JSON.stringify(ensureInput), 'stay');
}

async function killCaller(caller: ChildProcess): Promise<void> {
  while (caller.exitCode === null && caller.signalCode === null) {
    await attempt(machine.sh('pkill', '-KILL', '-f', 'helper-call.ts'));
    await sleep(20);
  }
}

const phone = makeDevice('phone', 2);
const tablet = makeDevice('tablet', 3);

function importInto(device: TestDevice): Promise<void> {
  const endpoint = `${HOST_ADDRESS}:51820`;
  return importConf(machine, device, { publicKey: gatewayKey, endpoint, pool: network.pool });
}

async function setPeer({ publicKey, address, presharedKey }: TestDevice): Promise<void> {
  await call('wireguard.setPeers', { network, name: NAME, peers: [{ publicKey, address, presharedKey }] });
}

function open(device: TestDevice, seconds = 5): Promise<string | undefined> {
  return attempt(inNetns(device.name, 'curl', '-sS', '--max-time', `${seconds}`, `http://${SHOP}/`));
}

/** Nothing of it changes while nobody makes a new handshake: keys, port, endpoint, time of the handshake. */
async function sessionOf(device: TestDevice): Promise<unknown> {
  const peer = (await observed())[0]?.peers.find((each) => each.publicKey === device.publicKey);
  return { ...peer, received: 0, sent: 0 };
}

function pidOfWireguardGo(): Promise<string | undefined> {
  return attempt(machine.sh('pgrep', '-f', `^([^ ]*/)?wireguard-go -f ${NAME}$`));
}

/** Another program takes a UDP port; returns what makes it give the port back. */
async function take(family: 'udp4' | 'udp6', port: number): Promise<() => Promise<unknown>> {
  const script = `require('node:dgram').createSocket('${family}').bind(${port}, () => console.log('ready'))`;
  const holder = machine.start(NODE, '-e', script);
  await once(holder.stdout ?? holder, 'data');
  return async () => {
    const ended = once(holder, 'exit');
    await machine.sh('pkill', '-f', 'node:dgram');
    return ended;
  };
}

const SERVER = `
const http = require('node:http');
http.createServer((request, response) => {
  if (request.url === '/stream') setInterval(() => response.write('tick\\n'), 50);
  else response.end('you are ' + request.socket.remoteAddress);
}).listen(80, '0.0.0.0', () => console.log('ready'));`;

beforeAll(async () => {
  machine = await startMachine();
  await machine.sh('ip', 'addr', 'add', `${HOST_ADDRESS}/32`, 'dev', 'lo');
  await connectToInternet(machine, phone);
  await connectToInternet(machine, tablet);
  await call('hub.ensure', { network });
  const spec = { namespace: 'shop', address: SHOP, port: 80 };
  await call('namespace.ensure', { network, service: 'shop', spec });
  const flow = { via: NAME, address: SHOP, protocol: 'tcp', port: 80 } as const;
  const flows = [phone, tablet].map(({ address }) => ({ ...flow, source: address }));
  await call('flows.replace', { network, flows });
  const server = machine.start('nsenter', '--net=/run/netns/gw-shop', NODE, '-e', SERVER);
  await once(server.stdout ?? server, 'data');
});

afterAll(() => machine.stop());

describe('the WireGuard interface in the hub', () => {
  it('refuses an interface that is not ours', async () => {
    await machine.sh('ip', 'link', 'add', 'wg0', 'type', 'veth', 'peer', 'name', 'wg0peer');
    const { error } = await answerOf('wireguard.remove', { network, name: 'wg0' });
    expect(error?.code).toBe('AlreadyExists');
    expect(await machine.sh('ip', '-o', 'link', 'show', 'wg0')).toContain('wg0');
  });

  it('says who holds the port when it is taken', async () => {
    const release = await take('udp4', 51820);
    const { error } = await answerOf('wireguard.ensure', ensureInput);
    await release();
    expect(error?.code).toBe('PortInUse');
    expect(error?.message).toMatch(/^UDP port 51820 is taken by node \(process \d+\)$/);
  });

  it('is made, with its socket outside of the hub', async () => {
    await call('wireguard.ensure', ensureInput);
    expect(await observed()).toEqual([
      {
        name: NAME,
        publicKey: gatewayKey,
        listenPort: 51820,
        address: '10.64.8.1',
        endpoint: `${HOST_ADDRESS}:51820`,
        implementation: 'wireguard-go',
        peers: [],
      },
    ]);
    expect(await machine.sh('ip', '-br', 'link')).not.toContain(NAME);
    expect(await machine.sh('ss', '-Huln', 'sport = :51820')).toContain(':51820');
    expect(await inNetns(HUB, 'ss', '-Huln')).toBe('');
  });

  it('lets a phone in that imported the conf, and the service sees its own address', async () => {
    await setPeer(phone);
    await importInto(phone);
    expect(await open(phone)).toBe('you are 10.64.8.2');
    const [peer] = (await observed())[0]?.peers ?? [];
    expect(peer).toMatchObject({ publicKey: phone.publicKey, address: phone.address });
    expect(peer?.endpoint).toMatch(/^11\.2\.2\.2:\d+$/);
    expect(Math.abs((peer?.latestHandshake ?? 0) - Date.now() / 1000)).toBeLessThan(30);
  });

  it('stays as it is when it is ensured again', async () => {
    const [session, pid] = [await sessionOf(phone), await pidOfWireguardGo()];
    await call('wireguard.ensure', ensureInput);
    await setPeer(phone);
    expect(await open(phone, 1)).toBe('you are 10.64.8.2');
    expect(await pidOfWireguardGo()).toBe(pid);
    expect(await sessionOf(phone)).toEqual(session);
  });

  it('is proved as a peer of its own: one at a time, never observed, and never a device', async () => {
    const [session, before] = [await sessionOf(phone), await observed()];
    const probes = [1, 2].map(() => encodeKey(nodeCrypto.curve25519Public(nodeCrypto.curve25519Secret())));
    for (const publicKey of probes) await call('wireguard.ensureProbe', { network, name: NAME, publicKey });
    const shown = await inNetns(HUB, 'wg', 'show', NAME, 'allowed-ips');
    expect(shown).toContain(`${probes[1]}\t(none)`);
    expect(shown).not.toContain(probes[0]);
    expect((await observed())[0]?.peers).toHaveLength(before[0]?.peers.length ?? 0);
    const taken = { network, name: NAME, publicKey: phone.publicKey };
    expect((await answerOf('wireguard.ensureProbe', taken)).error?.code).toBe('InvalidRequest');
    await call('wireguard.removeProbe', { network, name: NAME });
    expect(await inNetns(HUB, 'wg', 'show', NAME, 'peers')).toBe(phone.publicKey);
    expect(await open(phone, 1)).toBe('you are 10.64.8.2');
    expect(await sessionOf(phone)).toEqual(session);
  });

  it('carries on when the process that made it is killed', async () => {
    const caller = startEnsuring();
    await once(caller.stdout ?? caller, 'data');
    const pid = await pidOfWireguardGo();
    await killCaller(caller);
    expect(await pidOfWireguardGo()).toBe(pid);
    expect(await open(phone, 1)).toBe('you are 10.64.8.2');
  });

  it('keeps its port and its sessions when the new port is taken, and moves in place when it is free', async () => {
    const moved = { ...ensureInput, listenPort: 51999 };
    const release = await take('udp6', 51999);
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

  it('takes another private key, address and endpoint in place', async () => {
    const secret = nodeCrypto.curve25519Secret();
    const changed = { privateKey: encodeKey(secret), address: '10.64.8.9', endpoint: 'home.example:1' };
    await call('wireguard.ensure', { ...ensureInput, ...changed });
    expect((await observed())[0]).toMatchObject({
      publicKey: encodeKey(nodeCrypto.curve25519Public(secret)),
      address: '10.64.8.9',
      endpoint: 'home.example:1',
    });
    await call('wireguard.ensure', ensureInput);
    expect(await open(phone, 15)).toBe('you are 10.64.8.2');
  });

  it('is repaired when it is down or lost its route', async () => {
    await inNetns(HUB, 'ip', 'link', 'set', NAME, 'down');
    expect((await observed())[0]?.address).toBe('');
    await call('wireguard.ensure', ensureInput);
    expect((await observed())[0]).toMatchObject({ address: '10.64.8.1', listenPort: 51820 });
    await inNetns(HUB, 'ip', 'route', 'del', '10.64.8.0/21', 'dev', NAME);
    expect((await observed())[0]?.address).toBe('');
    await call('wireguard.ensure', ensureInput);
    expect(await open(phone, 10)).toBe('you are 10.64.8.2');
  });
});

describe('revoking a device', () => {
  it('cuts an open connection at once and disturbs nobody else', async () => {
    await setPeer(tablet);
    await importInto(tablet);
    expect(await open(tablet)).toBe('you are 10.64.8.3');
    const session = await sessionOf(tablet);
    let latest = 0;
    const url = `http://${SHOP}/stream`;
    const stream = machine.start('nsenter', '--net=/run/netns/phone', 'curl', '-sSN', url);
    stream.stdout?.on('data', () => (latest = Date.now()));
    await once(stream.stdout ?? stream, 'data');
    await call('wireguard.removePeer', { network, name: NAME, publicKey: phone.publicKey });
    const revoked = Date.now();
    await sleep(1000);
    expect(latest - revoked).toBeLessThan(200);
    expect(await open(phone, 1)).toBeUndefined();
    expect(await open(tablet, 1)).toBe('you are 10.64.8.3');
    expect(await sessionOf(tablet)).toEqual(session);
    expect(await attempt(inNetns(HUB, 'conntrack', '-L', '-s', phone.address))).toBe('');
    stream.kill();
  });

  it('twice, or of a device that never was, is fine', async () => {
    await call('wireguard.removePeer', { network, name: NAME, publicKey: phone.publicKey });
    expect(await open(tablet, 1)).toBe('you are 10.64.8.3');
  });
});

describe('an interface that was half made', () => {
  it.each([100, 150, 200, 250, 300])('and killed after %i ms is completed', async (delayMs) => {
    await call('wireguard.remove', { network, name: NAME });
    const caller = startEnsuring();
    await sleep(delayMs);
    await killCaller(caller);
    await call('wireguard.ensure', ensureInput);
    expect(await observed()).toMatchObject([
      { name: NAME, address: '10.64.8.1', listenPort: 51820, peers: [] },
    ]);
    expect(await pidOfWireguardGo()).toMatch(/^\d+$/);
    expect(await machine.sh('find', ROOT, '-name', '.secret-*', '-size', '+0')).toBe('');
  });

  it('is made anew when its process hangs', async () => {
    const pid = (await pidOfWireguardGo()) ?? '';
    await machine.sh('kill', '-STOP', pid);
    expect((await observed())[0]?.publicKey).toBe('');
    await call('wireguard.ensure', ensureInput);
    expect(await pidOfWireguardGo()).not.toBe(pid);
    expect(await observed()).toMatchObject([{ address: '10.64.8.1', publicKey: gatewayKey }]);
  });

  it('is made anew when only its process is left', async () => {
    const pid = (await pidOfWireguardGo()) ?? '';
    await machine.sh('kill', '-STOP', pid);
    await inNetns(HUB, 'ip', 'link', 'del', NAME);
    await call('wireguard.ensure', ensureInput);
    expect(await pidOfWireguardGo()).not.toBe(pid);
    expect(await observed()).toMatchObject([{ address: '10.64.8.1', listenPort: 51820 }]);
  });
});

it('leaves nothing behind when it is removed', async () => {
  await call('wireguard.remove', { network, name: NAME });
  expect(await observed()).toEqual([]);
  expect(await pidOfWireguardGo()).toBeUndefined();
  expect(await machine.sh('ls', '/run/wireguard')).not.toContain(NAME);
  await call('wireguard.remove', { network, name: NAME });
});
