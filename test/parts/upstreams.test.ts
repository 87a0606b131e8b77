import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { CompileInput, Context } from '../../src/core/contract.ts';
import { plan } from '../../src/core/plan.ts';
import type { Place, Service } from '../../src/core/service.ts';
import { namespacesPart } from '../../src/parts/namespaces/index.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { dial, serve } from '../support/traffic.ts';

/** Services that may connect to one another, because the config says so, and nothing more. */
const NETWORK = networkFor('gw', '10.64.0.0/20');

function service(name: string, address: string, more: Partial<Service> = {}): Service {
  const place: Place = { type: 'namespace', name };
  const port = 8080;
  return {
    name,
    kind: 'http',
    privacy: 'open',
    port,
    place,
    address,
    dial: { host: address, port },
    ...more,
  };
}

const BTCPAY = service('btcpay', '10.64.1.2', { port: 23000 });
const SHOP = service('shop', '10.64.1.3', { upstreams: ['btcpay', 'nas'] });
const WIKI = service('wiki', '10.64.1.4');
const LND = service('lnd', '10.64.1.5', {
  place: { type: 'entered', by: 'name', value: 'lnd' },
  upstreams: ['btcpay'],
});
const NAS = service('nas', '10.64.1.6', { place: { type: 'host' }, port: 9000 });
const ALL = [BTCPAY, SHOP, WIKI, LND, NAS];

let machine: Machine;
let gateway: Gateway;
let context: Context;

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  await machine.sh('ip', 'netns', 'add', 'lnd');
  const ports = { helper: gateway.helper } as unknown as Context['ports'];
  context = { signal: AbortSignal.timeout(60_000), network: NETWORK, ports };
  await up(ALL);
  await serve(machine, 'gw-btcpay', 'btcpay', BTCPAY.port);
  await serve(machine, 'gw-btcpay', 'the database', 5432);
  await serve(machine, 'gw-shop', 'shop', SHOP.port);
  await serve(machine, 'lnd', 'lnd', LND.port);
  await serve(machine, undefined, 'nas', NAS.port);
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

/** What the daemon does: writes what it is about to apply, then applies. Returns the sentences. */
async function up(services: readonly Service[]): Promise<string[]> {
  const applied = services.map(({ name, address, port, place, upstreams }) => {
    const declared = upstreams === undefined ? {} : { upstreams: [...upstreams] };
    return [name, { address, port, place, ...declared }] as const;
  });
  await gateway.apply({ services: Object.fromEntries(applied) });
  const input: CompileInput = {
    network: NETWORK,
    services,
    exposures: [],
    devices: [],
    wants: [],
    ledger: {},
    settings: undefined,
  };
  const { resources } = namespacesPart.compile(input);
  const changes = plan(resources, await namespacesPart.observe(context), namespacesPart.kinds);
  for (const change of changes) await namespacesPart.apply(change, context);
  expect(plan(resources, await namespacesPart.observe(context), namespacesPart.kinds)).toEqual([]);
  return changes.map((change) => namespacesPart.describe(change));
}

const from = (netns: string, { address: host, port }: Service): Promise<string> =>
  dial(machine, netns, { host, port });

describe('what may connect', () => {
  it('reaches its upstream at that one port, which sees who comes', async () => {
    expect(await from('gw-shop', BTCPAY)).toBe(`btcpay sees ${SHOP.address}`);
    expect(await from('gw-shop', { ...BTCPAY, port: 5432 })).toBe('nothing');
  });

  it('reaches it from a namespace that is not ours, too', async () => {
    expect(await from('lnd', BTCPAY)).toBe(`btcpay sees ${LND.address}`);
  });

  it('reaches a service of the host', async () => {
    expect(await from('gw-shop', NAS)).toBe(`nas sees ${SHOP.address}`);
    expect(await from('lnd', NAS)).toBe('nothing');
  });

  it('finds it by its name, without asking anybody', async () => {
    const known = await machine.sh('ip', 'netns', 'exec', 'gw-shop', 'getent', 'hosts', 'btcpay');
    expect(known).toMatch(new RegExp(`^${BTCPAY.address} +btcpay$`));
    const others = await machine.sh('ip', 'netns', 'exec', 'gw-wiki', 'cat', '/etc/hosts');
    expect(others).not.toContain('btcpay');
  });
});

describe('what may not', () => {
  it('is everybody else, and the way back', async () => {
    expect(await from('gw-btcpay', SHOP)).toBe('nothing');
    expect(await from('gw-wiki', BTCPAY)).toBe('nothing');
    expect(await from('gw-wiki', NAS)).toBe('nothing');
    expect(await from('gw-btcpay', LND)).toBe('nothing');
  });

  it('is who takes the address of one that may: the hub knows each by its link', async () => {
    await machine.sh('ip', '-n', 'gw-wiki', 'addr', 'add', `${SHOP.address}/32`, 'dev', 'eth0');
    await machine.sh('nsenter', '--net=/run/netns/gw-wiki', 'nft', 'flush', 'ruleset');
    const { address: host, port } = BTCPAY;
    expect(await dial(machine, 'gw-wiki', { from: SHOP.address, host, port })).toBe('nothing');
    await machine.sh('ip', '-n', 'gw-wiki', 'addr', 'del', `${SHOP.address}/32`, 'dev', 'eth0');
  });

  it('is a pair that is not declared any more, and only that', async () => {
    const { upstreams: _none, ...lone } = LND;
    expect(await up([BTCPAY, { ...SHOP, upstreams: ['nas'] }, WIKI, lone, NAS])).toEqual([
      'set up a namespace for shop at 10.64.1.3, where only port 8080 is let in; it may connect to nas',
      'close the path from lnd (10.64.1.5) to 10.64.1.2:23000 and the path from shop (10.64.1.3) to 10.64.1.2:23000',
    ]);
    expect(await from('gw-shop', BTCPAY)).toBe('nothing');
    expect(await from('lnd', BTCPAY)).toBe('nothing');
    expect(await from('gw-shop', NAS)).toBe(`nas sees ${SHOP.address}`);
    expect(await machine.sh('cat', '/etc/netns/gw-shop/hosts')).not.toContain('btcpay');
    await up(ALL);
    expect(await from('gw-shop', BTCPAY)).toBe(`btcpay sees ${SHOP.address}`);
  });

  it('is anybody, while the packet filter of the hub is gone; the wall inside stands also without it', async () => {
    await machine.sh('nsenter', '--net=/run/netns/gw-hub', 'nft', 'flush', 'ruleset');
    expect(await from('gw-shop', BTCPAY)).toBe('nothing');
    await up(ALL);
    expect(await from('gw-shop', BTCPAY)).toBe(`btcpay sees ${SHOP.address}`);
  });
});

it('is repaired when the list that it was made from is lost', async () => {
  await machine.sh('sh', '-c', 'for f in /run/gw-root/run/namespaces/*=shop; do : > "$f"; done');
  expect((await up(ALL)).join('\n')).toContain('for shop');
  expect(await up(ALL)).toEqual([]);
});

it('leaves nothing behind', async () => {
  await up([]);
  expect(await machine.sh('ip', 'netns', 'list')).toBe('lnd');
  expect(await machine.sh('ls', '/etc/netns')).toBe('');
});
