import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SERVICE_SYSCTLS } from '../../src/helper/rules.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { dial, serve } from '../support/traffic.ts';

/** `s1` is made by itself, the others together. */
const NAMES = Array.from({ length: 12 }, (_, index) => `s${index + 1}`);
const addressOf = (name: string): string => `10.64.1.${name.slice(1)}`;
const specOf = (name: string) => ({ namespace: name, address: addressOf(name), port: 8080 });
const together = (names: readonly string[]) => ({
  namespaces: names.map((service) => ({ service, spec: specOf(service) })),
});

let machine: Machine;
let gateway: Gateway;

beforeEach(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  const services = NAMES.map((name) => {
    return [name, { address: addressOf(name), port: 8080, place: { type: 'namespace' as const, name } }];
  });
  await gateway.apply({ services: Object.fromEntries(services) });
  await gateway.call('hub.ensure', {});
});
afterEach(async () => {
  gateway.helper.close();
  await machine.stop();
});

/** What makes up a namespace, without its own name and address. */
async function inside(name: string): Promise<string> {
  const enter = ['nsenter', `--net=/run/netns/gw-${name}`] as const;
  const said = [
    await machine.sh(...enter, 'nft', '-s', 'list', 'ruleset'),
    await machine.sh(...enter, 'sysctl', ...Object.keys(SERVICE_SYSCTLS)),
    await machine.sh(...enter, 'ip', 'route'),
    await machine.sh('cat', `/etc/netns/gw-${name}/hosts`, `/etc/netns/gw-${name}/resolv.conf`),
  ].join('\n');
  return said
    .replaceAll(new RegExp(`${addressOf(name)}\\b`, 'g'), 'ADDRESS')
    .replaceAll(` ${name}\n`, ' NAME\n');
}

const made = async () => {
  const { namespaces } = await gateway.call('observe', {});
  return namespaces
    .map(({ service, renew }) => `${service}${renew === undefined ? '' : `: ${renew}`}`)
    .sort();
};

it('makes many together as each by itself', async () => {
  await gateway.call('namespace.ensure', { service: 's1', spec: specOf('s1') });
  expect(await gateway.call('namespace.ensureAll', together(NAMES))).toEqual({ failed: [] });
  expect(await made()).toEqual([...NAMES].sort());
  expect(await inside('s12')).toBe(await inside('s1'));
  const source = gateway.network.tor;
  const address = addressOf('s7');
  await gateway.call('flows.replace', {
    flows: [{ via: 'host', source, address, port: 8080, protocol: 'tcp' }],
  });
  await serve(machine, 'gw-s7', 's7', 8080);
  expect(await dial(machine, undefined, { from: source, host: address, port: 8080 })).toMatch(/^s7 /);
});

it('names the one that cannot be, and makes the others', async () => {
  await machine.sh('ip', 'netns', 'add', 'gw-s5');
  const { failed } = await gateway.call('namespace.ensureAll', together(NAMES));
  expect(failed).toMatchObject([{ service: 's5', code: 'AlreadyExists' }]);
  expect(await made()).toEqual(NAMES.filter((name) => name !== 's5').sort());
});

it('makes each by itself when something stands in the way of all', async () => {
  await machine.sh('mkdir', '-p', '/etc/netns');
  await machine.sh('touch', '/etc/netns/gw-s9');
  const { failed } = await gateway.call('namespace.ensureAll', together(NAMES));
  expect(failed.map(({ service }) => service)).toEqual(['s9']);
  expect((await made()).filter((name) => !name.startsWith('s9'))).toHaveLength(11);
});

it('converges after a kill -9 at any moment', async () => {
  const few = NAMES.slice(0, 4);
  for (let delayMs = 5; delayMs < 120; delayMs += 25) {
    const cut = gateway.call('namespace.ensureAll', together(few)).catch(() => 'cut');
    await sleep(delayMs);
    await gateway.kill();
    await cut;
    await gateway.restart();
    await gateway.call('namespace.ensureAll', together(few));
    expect(await made(), `killed after ${delayMs} ms`).toEqual(few);
    for (const service of few) await gateway.call('namespace.remove', { service });
  }
}, 60_000);

it('makes all again that are gone and left their marks, as after a power cut', async () => {
  await gateway.call('namespace.ensureAll', together(NAMES));
  await machine.sh('ip', '-all', 'netns', 'del');
  await gateway.call('hub.ensure', {});
  expect(await gateway.call('namespace.ensureAll', together(NAMES))).toEqual({ failed: [] });
  expect(await made()).toEqual([...NAMES].sort());
});
