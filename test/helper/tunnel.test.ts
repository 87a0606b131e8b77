import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { OPERATIONS, type OperationArguments, type OperationName } from '../../src/core/operations.ts';
import type { SeenTunnel, TunnelSpec } from '../../src/core/tunnel-operations.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { startMachine, until, type Machine } from '../support/machine.ts';
import { connectToInternet, inNetns as enter, makeDevice } from '../support/wireguard-phone.ts';

/** A tunnel to a relay that sends whatever it likes: only what was declared gets through. */
const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const CALL = resolve(import.meta.dirname, '../support/helper-call.ts');
const ROOT = '/run/gw-root';
const HUB = 'gw-hub';
const SHOP = '10.64.1.2';
const HOME = '10.127.0.2';
const RELAY = '10.127.0.1';
const VISITOR = '11.9.9.9';

const network = networkFor('gw', '10.64.0.0/20');
const secret = nodeCrypto.curve25519Secret();
const publicKey = encodeKey(nodeCrypto.curve25519Public(secret));
const relay = makeDevice('relay', 2);
const tunnel: TunnelSpec = {
  relay: 'vps',
  number: 0,
  publicKey: relay.publicKey,
  endpoints: [`${relay.outside}:51820`],
  address: HOME,
  relayAddress: RELAY,
  mtu: 1420,
  web: { https: 7600, http: 7601 },
  ports: [{ port: 9735, service: 'shop', to: { address: SHOP, port: 80 } }],
  devices: 4000,
};
const endpoint = `${relay.outside}:51820`;
const privateKey = encodeKey(secret);

let machine: Machine;

async function call<Name extends OperationName>(
  operation: Name,
  input: OperationArguments<Name>,
): Promise<unknown> {
  const said = await machine.sh(NODE, CALL, ROOT, operation, JSON.stringify(input));
  const { result, error } = JSON.parse(said) as { result?: unknown; error?: unknown };
  expect(error).toBeUndefined();
  return result;
}

const ensure = (spec: TunnelSpec) => call('tunnel.ensure', { network, tunnel: spec, privateKey, endpoint });

async function observed(): Promise<readonly SeenTunnel[]> {
  const said = await call('tunnel.observe', { network });
  return OPERATIONS['tunnel.observe'].result.parse(said).tunnels;
}

const inRelay = (...argv: string[]): Promise<string> => enter(machine, 'relay', ...argv);
const inHub = (...argv: string[]): Promise<string> => enter(machine, HUB, ...argv);

/** As somebody at `source` whom the relay lets through; `nothing` when no answer comes. */
async function visit(source: string, to: string, seconds = 1): Promise<string> {
  const curl = ['curl', '-sS', '--max-time', `${seconds}`, '--interface', source, `http://${to}/`];
  return inRelay(...curl).catch((error: unknown) => {
    if (error instanceof GatewayError && error.code === 'CommandFailed') return 'nothing';
    throw error;
  });
}

const SERVER = `
const http = require('node:http');
const [port, host] = process.argv.slice(1);
http.createServer((request, response) => {
  if (request.url === '/slow') setInterval(() => response.write('tick\\n'), 50);
  else response.end(port + ' sees ' + request.socket.remoteAddress);
}).listen(Number(port), host, () => console.log('ready'));`;

const DATAGRAMS = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (_text, { address, port }) => socket.send('sees ' + address, port, address));
socket.bind(4000, () => console.log('ready'));`;
const SEND = `
const [source, to, port] = process.argv.slice(1);
const socket = require('node:dgram').createSocket('udp4');
const done = (text) => { console.log(text); process.exit(0); };
socket.on('message', (text) => done(String(text)));
socket.bind(0, source, () => socket.send('hello', Number(port), to));
setTimeout(() => done('nothing'), 500);`;

/** As a device whose datagram the relay lets through. */
async function send(source: string, to: string, port: number): Promise<string> {
  return (await inRelay(NODE, '-e', SEND, source, to, String(port))).trim();
}

async function serve(netns: string | undefined, host: string, port: number): Promise<void> {
  const argv = [NODE, '-e', SERVER, String(port), host] as const;
  const server =
    netns === undefined
      ? machine.start(...argv)
      : machine.start('nsenter', `--net=/run/netns/${netns}`, ...argv);
  await once(server.stdout ?? server, 'data');
}

beforeAll(async () => {
  machine = await startMachine();
  await connectToInternet(machine, relay);
  await call('hub.ensure', { network });
  await call('namespace.ensure', {
    network,
    service: 'shop',
    spec: { namespace: 'shop', address: SHOP, port: 80 },
  });
  await serve('gw-shop', '0.0.0.0', 80);
  for (const port of [7600, 7601]) await serve(undefined, network.edge, port);
  const datagrams = machine.start(NODE, '-e', DATAGRAMS);
  await once(datagrams.stdout ?? datagrams, 'data');
  machine.start('nsenter', '--net=/run/netns/relay', 'wireguard-go', '-f', 'far0');
  await until(async () => (await inRelay('wg', 'show', 'far0').catch(() => '')) || undefined);
  const key = `/run/relay.key`;
  await machine.sh('sh', '-c', `umask 077; echo ${relay.privateKey} > ${key}`);
  const peer = ['peer', publicKey, 'allowed-ips', `${HOME}/32,${SHOP}/32`];
  await inRelay('wg', 'set', 'far0', 'listen-port', '51820', 'private-key', key, ...peer);
  await inRelay('ip', 'addr', 'add', `${RELAY}/32`, 'dev', 'far0');
  for (const address of [VISITOR, '192.168.7.7', '10.64.1.9', network.edge]) {
    await inRelay('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo');
  }
  await inRelay('ip', 'link', 'set', 'far0', 'up');
  for (const address of [HOME, SHOP]) await inRelay('ip', 'route', 'add', address, 'dev', 'far0');
}, 30_000);

afterAll(() => machine.stop());

describe('a tunnel to a relay', () => {
  it('is made, with its socket outside of the hub', async () => {
    await ensure(tunnel);
    expect(await observed()).toMatchObject([{ number: 0, spec: tunnel, publicKey, endpoint }]);
    expect((await observed())[0]?.renew).toBeUndefined();
    expect(await inHub('ip', '-br', 'link')).toContain('gwr-0');
    expect(await inHub('ss', '-Huln')).toBe('');
  });

  it('carries a declared port to its service, which sees who comes', async () => {
    expect(await visit(VISITOR, `${HOME}:9735`, 10)).toBe(`80 sees ${VISITOR}`);
    expect((await observed())[0]?.latestHandshake).toBeGreaterThan(0);
    const look = (source: string) => call('tunnel.visitors', { network, number: 0, port: 9735, source });
    expect(await look(VISITOR)).toEqual({ ports: [expect.any(Number)] });
    expect(await look('11.8.8.8')).toEqual({ ports: [] });
  });

  it('carries what the relay itself passes on to the edge, from the hub', async () => {
    expect(await visit(RELAY, `${HOME}:443`)).toBe(`7600 sees ${network.hub}`);
    expect(await visit(RELAY, `${HOME}:80`)).toBe(`7601 sees ${network.hub}`);
  });

  it("brings devices to this machine's WireGuard, which answers through the hub, and nowhere else", async () => {
    expect(await send(VISITOR, HOME, 51_820)).toBe(`sees ${network.hub}`);
    expect(await send('192.168.7.7', HOME, 51_820)).toBe('nothing');
    expect(await send('10.64.1.9', HOME, 51_820)).toBe('nothing');
    expect(await send(RELAY, HOME, 51_820)).toBe('nothing');
    expect(await send(VISITOR, HOME, 4000)).toBe('nothing');
    expect(await send(VISITOR, SHOP, 51_820)).toBe('nothing');
    const { devices: _port, ...without } = tunnel;
    await ensure(without);
    await inHub('conntrack', '-D', '-p', 'udp');
    expect(await send(VISITOR, HOME, 51_820)).toBe('nothing');
    await ensure(tunnel);
  });

  it.each([
    ['a web port from anybody but the relay', VISITOR, `${HOME}:443`],
    ['a declared port from a private address', '192.168.7.7', `${HOME}:9735`],
    ['a declared port from an address of the pool', '10.64.1.9', `${HOME}:9735`],
    ['a declared port from the relay', RELAY, `${HOME}:9735`],
    ['a port that was not declared', VISITOR, `${HOME}:22`],
    ["the service's own port at our address", VISITOR, `${HOME}:81`],
    ['a service by its own address', VISITOR, `${SHOP}:80`],
    ['a service as the edge', network.edge, `${SHOP}:80`],
  ])('drops %s', async (_what, source, to) => {
    expect(await visit(source, to, 0.5)).toBe('nothing');
  });

  it('lets nothing begin towards the relay', async () => {
    await inRelay('ip', 'addr', 'add', '11.8.8.8/32', 'dev', 'lo');
    machine.start('nsenter', '--net=/run/netns/relay', NODE, '-e', SERVER, '8000', '0.0.0.0');
    const curl = ['curl', '-sS', '--max-time', '0.5'];
    await expect(enter(machine, 'gw-shop', ...curl, `http://${VISITOR}:8000/`)).rejects.toThrow();
    await expect(machine.sh('curl', '-sS', '--max-time', '0.5', `http://${RELAY}:8000/`)).rejects.toThrow();
  });

  it('stays as it is when it is ensured again, and what is open outlives its port', async () => {
    const before = await observed();
    const url = `http://${HOME}:9735/slow`;
    const open = machine.start(
      'nsenter',
      '--net=/run/netns/relay',
      'curl',
      '-sSN',
      '--interface',
      VISITOR,
      url,
    );
    await once(open.stdout ?? open, 'data');
    await ensure(tunnel);
    expect((await observed())[0]?.latestHandshake).toBe(before[0]?.latestHandshake);
    await ensure({ ...tunnel, ports: [] });
    expect(await visit(VISITOR, `${HOME}:9735`, 0.5)).toBe('nothing');
    await once(open.stdout ?? open, 'data');
    await once(open.stdout ?? open, 'data');
    const ended = once(open, 'exit');
    let latest = 0;
    open.stdout?.on('data', () => (latest = Date.now()));
    await call('tunnel.cut', { network, number: 0, port: 9735 });
    const cutAt = Date.now();
    await sleep(600);
    expect(latest - cutAt).toBeLessThan(300);
    open.kill();
    await ended;
    await ensure(tunnel);
    expect(await visit(VISITOR, `${HOME}:9735`)).toBe(`80 sees ${VISITOR}`);
  });

  it('begins a new session at once with a relay that forgot it, and what is open goes on', async () => {
    const url = `http://${HOME}:9735/slow`;
    const open = machine.start(
      'nsenter',
      '--net=/run/netns/relay',
      'curl',
      '-sSN',
      '--interface',
      VISITOR,
      url,
    );
    await once(open.stdout ?? open, 'data');
    const peer = ['peer', publicKey];
    await inRelay('wg', 'set', 'far0', ...peer, 'remove');
    await inRelay('wg', 'set', 'far0', ...peer, 'allowed-ips', `${HOME}/32,${SHOP}/32`);
    expect(await visit(VISITOR, `${HOME}:9735`, 1)).toBe('nothing');
    await call('tunnel.dial', { network, number: 0, endpoint });
    expect(await visit(VISITOR, `${HOME}:9735`, 5)).toBe(`80 sees ${VISITOR}`);
    expect(await call('tunnel.handshakes', { network })).toEqual({
      tunnels: [{ number: 0, endpoint, latestHandshake: expect.any(Number) }],
    });
    await once(open.stdout ?? open, 'data');
    open.kill();
  });

  it('clamps the size of segments to the tunnel', async () => {
    await inHub('nft', '-j', 'list', 'chain', 'inet', 'gateway-relay-0', 'clamp').then((text) =>
      expect(text).toContain('1380'),
    );
  });

  it.each([
    ['its packet filter was removed', ['nft', 'delete', 'table', 'inet', 'gateway-relay-0']],
    ['its packet filter was emptied', ['nft', 'flush', 'chain', 'inet', 'gateway-relay-0', 'permit']],
    ['its routing policy was removed', ['ip', 'rule', 'del', 'priority', '120']],
    ['its route was removed', ['ip', 'route', 'flush', 'table', '216']],
    ['its peer was removed', ['wg', 'set', 'gwr-0', 'peer', relay.publicKey, 'remove']],
    ['its interface is gone', ['ip', 'link', 'del', 'gwr-0']],
  ] as const)('says so and is made whole when %s', async (_what, damage) => {
    await inHub(...damage);
    expect((await observed())[0]?.renew).toBeDefined();
    await ensure(tunnel);
    expect((await observed())[0]?.renew).toBeUndefined();
    expect(await visit(VISITOR, `${HOME}:9735`, 10)).toBe(`80 sees ${VISITOR}`);
  });

  it('leaves nothing behind', async () => {
    await call('tunnel.remove', { network, number: 0 });
    expect(await observed()).toEqual([]);
    expect(await inHub('ip', '-br', 'link')).not.toContain('gwr-0');
    expect(await inHub('ip', 'rule')).not.toContain('0x10');
    expect(await inHub('nft', 'list', 'tables')).not.toContain('relay');
    await expect(machine.sh('pgrep', '-f', 'wireguard-go -f gwr-0')).rejects.toThrow();
    await call('tunnel.remove', { network, number: 0 });
  });
});
