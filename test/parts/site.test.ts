import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wireguard } from '../../providers/wireguard/index.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { parseConfig } from '../../src/core/config.ts';
import type { Context, Part, Provider } from '../../src/core/contract.ts';
import { compileDesired } from '../../src/core/desired.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Device } from '../../src/core/service.ts';
import { appliedOf } from '../../src/daemon/applied.ts';
import { observeAll, pass, planAll } from '../../src/engine/reconciler.ts';
import { namespacesPart } from '../../src/parts/namespaces/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { dial, serve } from '../support/traffic.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';
import { connectToInternet, importConf, inNetns, makeDevice } from '../support/wireguard-phone.ts';

/** A shop's server that reaches BTCPay, whose webhooks reach the shop, and nothing else in any direction. */
const NETWORK = networkFor('gw', '10.64.0.0/20');
const ENDPOINT = '11.2.0.1:51820';
const CONFIG = `
wireguard: { endpoint: "${ENDPOINT}" }
services:
  btcpay: { port: 23000, expose: { wireguard: {} } }
  wiki: { port: 8080, expose: { wireguard: {} } }
`;
const SERVER = makeDevice('webshop', 2);
const SITE: Device = {
  name: 'webshop',
  services: ['btcpay'],
  publicKey: SERVER.publicKey,
  addedAt: '2026-01-01T00:00:00.000Z',
  reachedBy: [{ service: 'btcpay', port: 8080 }],
};
const provider = wireguard as Provider;
const parts: readonly Part[] = [namespacesPart, provider];

let machine: Machine;
let gateway: Gateway;
let directory: string;
let context: Context;
/** Addresses of services. */
const at = new Map<string, string>();

async function up(devices: readonly Device[]): Promise<void> {
  const { config } = parseConfig(CONFIG, [provider]);
  if (config === undefined) throw new Error('the config is wrong');
  const desired = compileDesired({
    config,
    devices,
    ledger: {},
    parts: [namespacesPart],
    providers: [provider],
    network: NETWORK,
  });
  for (const { name, address } of desired.services) at.set(name, address);
  await gateway.apply(appliedOf(desired));
  const quiet = { applying: () => undefined, applied: () => undefined, failed: () => undefined };
  const { failed } = await pass(parts, desired.resources, context, quiet);
  expect(failed).toEqual([]);
  const again = planAll(parts, desired.resources, await observeAll(parts, context));
  expect(again).toEqual([]);
}

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  directory = await mkdtemp(join(tmpdir(), 'gw-site-'));
  const keys = createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto });
  const ports = unavailablePorts({ keys, crypto: nodeCrypto, helper: gateway.helper });
  context = { signal: AbortSignal.timeout(60_000), network: NETWORK, ports };
  const preshared = new Secret<Uint8Array>(Buffer.from(SERVER.presharedKey, 'base64'));
  await keys.put(wireguard.presharedKeyName?.(SERVER.publicKey) ?? '', 'preshared', preshared);
  await up([SITE]);
  await machine.sh('ip', 'addr', 'add', '11.2.0.1/32', 'dev', 'lo');
  await connectToInternet(machine, SERVER);
  const own = await keys.read('wireguard/interface', 'curve25519');
  const publicKey = Buffer.from(nodeCrypto.curve25519Public(own?.reveal() ?? new Uint8Array())).toString(
    'base64',
  );
  await importConf(machine, SERVER, { publicKey, endpoint: ENDPOINT, pool: NETWORK.pool });
  await serve(machine, 'gw-btcpay', 'btcpay', 23000);
  await serve(machine, 'gw-wiki', 'wiki', 8080);
  await serve(machine, 'webshop', 'shop', 8080);
  await serve(machine, 'webshop', 'the database', 5432);
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
  await rm(directory, { recursive: true });
});

const reach = (from: string, host: string, port: number) => dial(machine, from, { host, port });

describe('a site', () => {
  it('reaches the service that it was given, and no other', async () => {
    expect(await reach('webshop', at.get('btcpay') ?? '', 23000)).toBe('btcpay sees 10.64.8.2');
    expect(await reach('webshop', at.get('wiki') ?? '', 8080)).toBe('nothing');
  });

  it('is reached by the service that was named, on that port, under its name', async () => {
    expect(await reach('gw-btcpay', '10.64.8.2', 8080)).toBe(`shop sees ${at.get('btcpay')}`);
    expect(await reach('gw-btcpay', '10.64.8.2', 5432)).toBe('nothing');
    const known = await machine.sh('ip', 'netns', 'exec', 'gw-btcpay', 'getent', 'hosts', 'webshop');
    expect(known).toMatch(/^10\.64\.8\.2 +webshop$/);
  });

  it('is reached by nobody else', async () => {
    expect(await reach('gw-wiki', '10.64.8.2', 8080)).toBe('nothing');
  });

  it('is reached no more when that is taken back, and when it is revoked', async () => {
    const { reachedBy: _none, ...plain } = SITE;
    await up([plain]);
    expect(await reach('gw-btcpay', '10.64.8.2', 8080)).toBe('nothing');
    expect(await reach('webshop', at.get('btcpay') ?? '', 23000)).toBe('btcpay sees 10.64.8.2');
    await up([SITE]);
    expect(await reach('gw-btcpay', '10.64.8.2', 8080)).toBe(`shop sees ${at.get('btcpay')}`);
    await up([]);
    expect(await reach('gw-btcpay', '10.64.8.2', 8080)).toBe('nothing');
    expect(await reach('webshop', at.get('btcpay') ?? '', 23000)).toBe('nothing');
    expect(await inNetns(machine, 'gw-hub', 'wg', 'show', 'gwwg0', 'peers')).toBe('');
  });
});
