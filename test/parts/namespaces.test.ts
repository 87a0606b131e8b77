import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AllowWant, CompileInput, Context, Resource } from '../../src/core/contract.ts';
import { plan } from '../../src/core/plan.ts';
import type { Place, Service } from '../../src/core/service.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { namespacesPart } from '../../src/parts/namespaces/index.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { dial, serve } from '../support/traffic.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');

function service(name: string, address: string, place: Place = { type: 'namespace', name }): Service {
  const port = 8080;
  return { name, kind: 'http', privacy: 'open', port, place, address, dial: { host: address, port } };
}

const SHOP = service('shop', '10.64.1.2');
const NAS = service('nas', '10.64.1.3', { type: 'host' });
const PRINTER = service('printer', '10.64.1.4', { type: 'target', host: '192.168.1.20' });

function input(services: readonly Service[], wants: readonly AllowWant[] = []): CompileInput {
  return { network: NETWORK, services, exposures: [], devices: [], wants, ledger: {}, settings: undefined };
}
const allow = (from: AllowWant['from'], name: string): AllowWant => ({
  part: 'namespaces',
  from,
  service: name,
});
const PHONE = { interface: 'gwwg0', address: '10.64.8.2' };

describe('compile', () => {
  const compile: typeof namespacesPart.compile = (input) => namespacesPart.compile(input);

  it('needs nothing without services', () => {
    expect(compile(input([])).resources).toEqual([]);
  });

  it('gives each service its place', () => {
    const { resources } = compile(input([SHOP, NAS, PRINTER]));
    expect(resources.map((resource) => resource.key)).toEqual([
      'hub:hub',
      'hostService:nas',
      'namespace:shop',
    ]);
  });

  it('opens what was asked for, once, whatever the order', () => {
    const wants = [allow('tor', 'shop'), allow(PHONE, 'nas'), allow('tor', 'shop'), allow('tor', 'printer')];
    const there = compile(input([SHOP, NAS, PRINTER], wants));
    const back = compile(input([PRINTER, NAS, SHOP], wants.toReversed()));
    expect(back).toEqual(there);
    expect(there.resources.find((resource) => resource.key === 'flows:hub')).toEqual({
      key: 'flows:hub',
      spec: {
        type: 'flows',
        flows: [
          { via: 'gwwg0', source: '10.64.8.2', address: '10.64.1.3', protocol: 'tcp', port: 8080 },
          { via: 'host', source: '10.64.0.3', address: '10.64.1.2', protocol: 'tcp', port: 8080 },
        ],
      },
      neededBy: ['nas', 'shop'],
    });
  });

  it('lets no two services share a namespace, and none take the name of the hub', () => {
    const second = service('stall', '10.64.1.5', { type: 'namespace', name: 'shop' });
    const hub = service('tunnel', '10.64.1.6', { type: 'namespace', name: 'hub' });
    const { problems, resources } = compile(input([second, SHOP, hub], [allow('tor', 'stall')]));
    expect(problems.map(({ code, service: name }) => `${code} ${name}`)).toEqual([
      'NamespaceTaken stall',
      'NamespaceTaken tunnel',
    ]);
    expect(resources.map((resource) => resource.key)).toEqual(['hub:hub', 'namespace:shop']);
  });
});

describe('with a real helper', () => {
  let machine: Machine;
  let gateway: Gateway;
  let context: Context;

  beforeAll(async () => {
    machine = await startMachine();
    gateway = await startGateway(machine);
    // The part uses nothing of the ports but the helper.
    const ports = { helper: gateway.helper } as unknown as Context['ports'];
    context = { signal: AbortSignal.timeout(60_000), network: NETWORK, ports };
  });
  afterAll(async () => {
    gateway.helper.close();
    await machine.stop();
  });

  /** What the daemon does: writes what it is about to apply, then applies. Returns the sentences. */
  async function up(services: readonly Service[], wants: readonly AllowWant[] = []): Promise<string[]> {
    const applied = services.map(
      ({ name, address, port, place }) => [name, { address, port, place }] as const,
    );
    await gateway.apply({
      services: Object.fromEntries(applied),
      devices: [{ publicKey: 'unused', address: PHONE.address, services: services.map(({ name }) => name) }],
    });
    return settle(namespacesPart.compile(input(services, wants)).resources);
  }

  async function settle(resources: readonly Resource[]): Promise<string[]> {
    const changes = plan(resources, await namespacesPart.observe(context), namespacesPart.kinds);
    for (const change of changes) await namespacesPart.apply(change as never, context);
    const left = plan(resources, await namespacesPart.observe(context), namespacesPart.kinds);
    expect(left).toEqual([]);
    return changes.map((change) => namespacesPart.describe(change as never));
  }

  const WANTS = [allow('tor', 'shop'), allow(PHONE, 'nas')];
  const reach = (): Promise<string> =>
    dial(machine, undefined, { from: NETWORK.tor, host: SHOP.address, port: 8080 });

  it('says what it does, does it, and then has nothing left to do', async () => {
    expect(await up([SHOP, NAS, PRINTER], WANTS)).toEqual([
      'make the hub that joins services, devices and the host (gw-hub, 10.64.0.0/20)',
      'make a namespace for shop at 10.64.1.2, where only port 8080 is let in',
      'give the host the address 10.64.1.3 for nas',
      'open the path from the device at 10.64.8.2 to 10.64.1.3:8080 and the path from this machine (10.64.0.3) to 10.64.1.2:8080',
    ]);
    await serve(machine, 'gw-shop', 'shop', 8080);
    expect(await reach()).toBe('shop sees 10.64.0.3');
    expect(await up([SHOP, NAS, PRINTER], WANTS)).toEqual([]);
  });

  it('closes a path that is not wanted any more', async () => {
    expect(await up([SHOP, NAS, PRINTER], [allow(PHONE, 'nas')])).toEqual([
      'close the path from this machine (10.64.0.3) to 10.64.1.2:8080',
    ]);
    expect(await reach()).toBe('nothing');
    await up([SHOP, NAS, PRINTER], WANTS);
  });

  it('repairs what somebody damaged, with the program inside still running', async () => {
    await machine.sh('nsenter', '--net=/run/netns/gw-hub', 'nft', 'flush', 'ruleset');
    await machine.sh('ip', '-n', 'gw-shop', 'link', 'del', 'eth0');
    expect((await up([SHOP, NAS, PRINTER], WANTS)).length).toBeGreaterThan(1);
    expect(await reach()).toBe('shop sees 10.64.0.3');
  });

  it('makes everything again after the hub was deleted', async () => {
    await machine.sh('ip', 'netns', 'del', 'gw-hub');
    await expect.poll(() => up([SHOP, NAS, PRINTER], WANTS), { timeout: 5000 }).not.toEqual([]);
    expect(await reach()).toBe('shop sees 10.64.0.3');
  });

  it('switches isolation off and on', async () => {
    const onHost = { ...SHOP, place: { type: 'host' } } as const;
    await up([onHost, NAS, PRINTER], WANTS);
    expect(await machine.sh('ip', 'netns', 'list')).not.toContain('gw-shop');
    await up([SHOP, NAS, PRINTER], WANTS);
    expect(await machine.sh('ip', 'addr', 'show', 'gwhost')).not.toContain(SHOP.address);
  });

  it('removes everything', async () => {
    await up([]);
    expect(await machine.sh('ip', 'netns', 'list')).toBe('');
    expect(await machine.sh('ip', 'route', 'show', 'table', 'all')).not.toContain('10.64.');
  });
});
