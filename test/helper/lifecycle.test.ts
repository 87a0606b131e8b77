import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { dial, serve } from '../support/traffic.ts';

const services = (address: string, name = 'shop') => ({
  [name]: { address, port: 8080, place: { type: 'namespace' as const, name } },
});

let machine: Machine;
let opened: Gateway[];

beforeEach(async () => {
  machine = await startMachine();
  opened = [];
});
afterEach(async () => {
  for (const gateway of opened) gateway.helper.close();
  await machine.stop();
});

async function start(prefix?: string, pool?: string): Promise<Gateway> {
  const gateway = await startGateway(machine, prefix, pool);
  opened.push(gateway);
  return gateway;
}

/** Everything of the machine that the helper could have left something in. */
async function inventory(): Promise<string> {
  const parts = [
    await machine.sh('ip', 'netns', 'list'),
    await machine.sh('ip', '-o', 'addr', 'show'),
    await machine.sh('ip', 'route', 'show', 'table', 'all'),
    await machine.sh('find', '/etc/netns', '/run/netns', '-mindepth', '1'),
    await machine.sh('find', '/run', '-path', '*/namespaces/*'),
    await machine.sh('nft', 'list', 'ruleset'),
  ];
  return parts.join('\n');
}

it('removes all that it made and only that', async () => {
  await machine.sh('ip', 'netns', 'add', 'gw-mine');
  await machine.sh('ip', 'link', 'add', 'gwother', 'type', 'veth', 'peer', 'name', 'elsewhere');
  const before = await inventory();
  const gateway = await start();
  const nas = { address: '10.64.1.9', port: 9000, place: { type: 'host' as const } };
  await gateway.apply({ services: { ...services('10.64.1.2'), nas } });
  await gateway.call('hub.ensure', {});
  await gateway.call('namespace.ensure', {
    service: 'shop',
    spec: { namespace: 'shop', address: '10.64.1.2', port: 8080 },
  });
  await gateway.call('hostService.ensure', { service: 'nas', spec: { address: '10.64.1.9' } });
  expect(await inventory()).not.toBe(before);
  await gateway.call('hostService.remove', { service: 'nas' });
  await gateway.call('namespace.remove', { service: 'shop' });
  await gateway.call('hub.remove', {});
  expect(await inventory()).toBe(before);
  await gateway.call('namespace.remove', { service: 'shop' });
  await gateway.call('hub.remove', {});
  const seen = await gateway.call('observe', {});
  expect(seen).toMatchObject({ namespaces: [], hostServices: [] });
  expect(seen.hub).toBeUndefined();
});

it('runs beside another gateway on the same machine without meeting it', async () => {
  const first = await start('gw', '10.64.0.0/20');
  const second = await start('alt', '10.65.0.0/20');
  for (const [gateway, address, name] of [
    [first, '10.64.1.2', 'shop'],
    [second, '10.65.1.2', 'shop'],
  ] as const) {
    await gateway.apply({ services: services(address) });
    await gateway.call('hub.ensure', {});
    await gateway.call('namespace.ensure', {
      service: 'shop',
      spec: { namespace: name, address, port: 8080 },
    });
    const source = gateway.network.tor;
    await gateway.call('flows.replace', {
      flows: [{ via: 'host', source, address, port: 8080, protocol: 'tcp' }],
    });
    await serve(machine, `${gateway.network.prefix}-shop`, gateway.network.prefix, 8080);
  }
  expect(await dial(machine, undefined, { from: '10.64.0.3', host: '10.64.1.2', port: 8080 })).toMatch(
    /^gw /,
  );
  expect(await dial(machine, undefined, { from: '10.65.0.3', host: '10.65.1.2', port: 8080 })).toMatch(
    /^alt /,
  );
  expect((await first.call('observe', {})).namespaces).toHaveLength(1);
  await first.call('namespace.remove', { service: 'shop' });
  await first.call('hub.remove', {});
  expect((await second.call('observe', {})).hub?.renew).toBeUndefined();
  expect(await dial(machine, undefined, { from: '10.65.0.3', host: '10.65.1.2', port: 8080 })).toMatch(
    /^alt /,
  );
});

it('converges after a kill -9 at any moment of making a namespace', async () => {
  const gateway = await start();
  await gateway.apply({ services: services('10.64.1.2') });
  const spec = { namespace: 'shop', address: '10.64.1.2', port: 8080 };
  for (let delayMs = 0; delayMs < 90; delayMs += 6) {
    await gateway.call('hub.ensure', {});
    const cut = gateway.call('namespace.ensure', { service: 'shop', spec }).catch(() => 'cut');
    await sleep(delayMs);
    await gateway.kill();
    await cut;
    await gateway.restart();
    const half = (await gateway.call('observe', {})).namespaces;
    // Half of them are repaired, half removed: both must work from any state.
    if (delayMs % 12 === 0) {
      await gateway.call('hub.ensure', {});
      await gateway.call('namespace.ensure', { service: 'shop', spec });
      expect((await gateway.call('observe', {})).namespaces, `killed after ${delayMs} ms`).toEqual([
        { service: 'shop', spec },
      ]);
    }
    for (const { service } of half) await gateway.call('namespace.remove', { service });
    await gateway.call('namespace.remove', { service: 'shop' });
    expect((await gateway.call('observe', {})).namespaces).toEqual([]);
    expect(await machine.sh('ip', 'netns', 'list')).not.toContain('gw-shop');
  }
}, 60_000);

it('leaves what another gateway with the same prefix made alone', async () => {
  const gateway = await start();
  await gateway.apply({ services: services('10.64.1.2') });
  await machine.sh('ip', 'netns', 'add', 'gw-hub');
  await expect(gateway.call('hub.ensure', {})).rejects.toMatchObject({ code: 'AlreadyExists' });
  await machine.sh('ip', 'netns', 'del', 'gw-hub');
  await gateway.call('hub.ensure', {});
  await machine.sh('ip', 'netns', 'add', 'gw-shop');
  const spec = { namespace: 'shop', address: '10.64.1.2', port: 8080 };
  await expect(gateway.call('namespace.ensure', { service: 'shop', spec })).rejects.toMatchObject({
    code: 'AlreadyExists',
  });
});

it('moves to another pool', async () => {
  const gateway = await start();
  await gateway.apply({});
  await gateway.call('hub.ensure', {});
  await gateway.kill();
  const moved = await start('gw', '10.77.0.0/20');
  await moved.apply({});
  expect((await moved.call('observe', {})).hub?.renew).toMatch(/other addresses/);
  await moved.call('hub.ensure', {});
  expect((await moved.call('observe', {})).hub).toEqual({ flows: [] });
  expect(await machine.sh('ip', 'route', 'show')).not.toContain('10.64.0.0/20');
});
