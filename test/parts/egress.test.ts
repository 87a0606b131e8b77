import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { CompileInput, Context } from '../../src/core/contract.ts';
import type { Service } from '../../src/core/service.ts';
import { pass, planAll, observeAll, sentenceOf } from '../../src/engine/reconciler.ts';
import { egressPart } from '../../src/parts/egress/index.ts';
import { namespacesPart } from '../../src/parts/namespaces/index.ts';
import { faultyPorts, type Fault } from '../support/faulty-ports.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { dial, serve } from '../support/traffic.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const INTERNET = '11.1.0.2';

function service(name: string, address: string, egress?: 'tor' | 'direct'): Service {
  const place = { type: 'namespace', name } as const;
  const dialed = { host: address, port: 80 };
  const out = egress === undefined ? {} : { egress };
  return { name, kind: 'http', privacy: 'open', port: 80, place, ...out, address, dial: dialed };
}
const HIDDEN = service('hidden', '10.64.1.2', 'tor');
const OPEN = service('open', '10.64.1.3', 'direct');
const MUTE = service('mute', '10.64.1.4');

function input(services: readonly Service[]): CompileInput {
  return {
    network: NETWORK,
    services,
    exposures: [],
    devices: [],
    wants: [],
    ledger: {},
    settings: undefined,
  };
}

it('compiles to who is let out, whatever the order', () => {
  const { resources } = egressPart.compile(input([OPEN, MUTE, HIDDEN]));
  expect(resources).toEqual(egressPart.compile(input([HIDDEN, OPEN, MUTE])).resources);
  expect(resources.map(({ spec }) => spec)).toEqual([
    {
      services: [
        { service: 'hidden', address: '10.64.1.2', by: 'tor' },
        { service: 'open', address: '10.64.1.3', by: 'direct' },
      ],
    },
  ]);
  expect(egressPart.compile(input([MUTE])).resources).toEqual([]);
  const { resources: secret } = egressPart.compile(input([{ ...HIDDEN, privacy: 'tor-only' }]));
  expect(secret[0]?.spec.services).toMatchObject([{ service: 'hidden', by: 'tor-only' }]);
});

describe('with a real helper', () => {
  let machine: Machine;
  let gateway: Gateway;
  let context: Context;
  const parts = [namespacesPart, egressPart];

  beforeAll(async () => {
    machine = await startMachine();
    gateway = await startGateway(machine);
    // The parts use nothing of the ports but the helper.
    const ports = { helper: gateway.helper } as unknown as Context['ports'];
    context = { signal: AbortSignal.timeout(120_000), network: NETWORK, ports };
    await machine.sh('ip', 'netns', 'add', 'internet');
    await machine.sh('ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1', 'netns', 'internet');
    for (const words of [
      'addr add 11.2.0.2/24 dev up0',
      'link set up0 up',
      'route add default via 11.2.0.1',
    ]) {
      await machine.sh('ip', ...words.split(' '));
    }
    const inside = ['link set lo up', `addr add ${INTERNET}/32 dev lo`, 'addr add 11.2.0.1/24 dev up1'];
    for (const words of [...inside, 'link set up1 up']) {
      await machine.sh('ip', '-n', 'internet', ...words.split(' '));
    }
    await serve(machine, 'internet', 'the internet', 80);
    await serve(machine, undefined, 'the host', 8081);
  }, 30_000);
  afterAll(async () => {
    gateway.helper.close();
    await machine.stop();
  });

  async function up(services: readonly Service[], ports = context.ports) {
    const applied = services.map(({ name, address, port, place, egress }) => {
      return [name, { address, port, place, ...(egress === undefined ? {} : { egress }) }] as const;
    });
    await gateway.apply({ services: Object.fromEntries(applied) });
    const silent = { applying: () => {}, applied: () => {}, failed: () => {} };
    return pass(parts, wanted(services), { ...context, ports }, silent);
  }
  const wanted = (services: readonly Service[]) =>
    new Map(parts.map((part) => [part.id, part.compile(input(services)).resources]));
  const pending = async (services: readonly Service[]): Promise<string[]> =>
    planAll(parts, wanted(services), await observeAll(parts, context)).map(sentenceOf);
  const reach = (name: string, host: string, port = 80): Promise<string> =>
    dial(machine, `gw-${name}`, { host, port });
  const ALL = [HIDDEN, MUTE, OPEN];
  const sysctl = (name: string): Promise<string> => machine.sh('sysctl', '-n', `net.ipv4.conf.${name}`);
  const settle = async (): Promise<void> => {
    await up(ALL);
    expect(await pending(ALL)).toEqual([]);
    expect(await reach('open', INTERNET)).toBe('the internet sees 11.2.0.2');
  };

  it('lets out who was declared, and leaves nothing to do', async () => {
    const { failed, changes } = await up(ALL);
    expect(failed).toEqual([]);
    expect(changes.map(sentenceOf).at(-1)).toBe('let out hidden through tor, open directly');
    await settle();
    for (const name of ['hidden', 'mute']) expect(await reach(name, INTERNET)).toBe('nothing');
    expect(await reach('open', '11.2.0.2', 8081)).toBe('nothing');
    expect(await dial(machine, undefined, { host: '11.2.0.2', port: 8081 })).toContain('the host');
  });

  it('makes no router of the machine', async () => {
    expect(await sysctl('up0.forwarding')).toBe('1');
    await machine.sh('ip', '-n', 'internet', 'route', 'add', '10.64.0.0/20', 'via', '11.2.0.2');
    await serve(machine, 'gw-mute', 'mute', 80);
    expect(await dial(machine, 'internet', { host: MUTE.address, port: 80 })).toBe('nothing');
    await machine.sh('ip', '-n', 'internet', 'route', 'add', '11.7.0.0/24', 'via', '11.2.0.2');
    await machine.sh(
      'ip',
      'link',
      'add',
      'lan0',
      'type',
      'veth',
      'peer',
      'name',
      'lan1',
      'netns',
      'internet',
    );
    await machine.sh('ip', 'addr', 'add', '11.7.0.1/24', 'dev', 'lan0');
    await machine.sh('ip', 'link', 'set', 'lan0', 'up');
    const route = await machine
      .sh('ip', 'route', 'get', '11.7.0.9', 'from', INTERNET, 'iif', 'up0')
      .catch(String);
    expect(route).toMatch(/unreachable|Invalid|No route|RTNETLINK/);
    await machine.sh('ip', 'link', 'del', 'lan0');
  });

  const DAMAGES: readonly (readonly [string, readonly [string, ...string[]]])[] = [
    ['a firewall was flushed', ['nft', 'flush', 'ruleset']],
    ['its table lost a chain', ['nft', 'flush', 'chain', 'inet', 'gateway-gw', 'toTor']],
    ['the routing policy was removed', ['ip', 'rule', 'del', 'priority', '5191']],
    ['its link was removed', ['ip', 'link', 'del', 'gwout']],
    ['forwarding was switched off', ['sysctl', '-qw', 'net.ipv4.conf.up0.forwarding=0']],
    ['the machine became a router', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']],
    ['the machine is none again', ['sysctl', '-qw', 'net.ipv4.ip_forward=0']],
    ['the machine has another address', ['ip', 'addr', 'add', '11.2.0.9/24', 'dev', 'up0']],
    ['the hub was deleted', ['ip', 'netns', 'del', 'gw-hub']],
    ['the hub was flushed', ['nsenter', '--net=/run/netns/gw-hub', 'nft', 'flush', 'ruleset']],
  ];
  it.each(DAMAGES)('repairs itself when %s', async (_what, argv) => {
    await machine.sh(...argv);
    await expect.poll(() => pending(ALL)).not.toEqual([]);
    await settle();
  });

  it('ends what is open when it lets out no more', async () => {
    const still = { ...OPEN };
    delete (still as { egress?: string }).egress;
    const lines = `const s = require('node:net').connect(80, '${INTERNET}'); s.on('data', () => console.log('alive')).on('error', () => process.exit()); setInterval(() => s.write('x'), 50);`;
    const client = machine.start('nsenter', '--net=/run/netns/gw-open', process.execPath, '-e', lines);
    const heard: number[] = [];
    client.stdout?.on('data', () => heard.push(Date.now()));
    await expect.poll(() => heard.length).toBeGreaterThan(2);
    await up([HIDDEN, MUTE, still]);
    const closedAt = Date.now();
    await expect.poll(() => Date.now() - closedAt, { timeout: 3000 }).toBeGreaterThan(800);
    expect(heard.filter((at) => at > closedAt + 100)).toEqual([]);
    client.kill('SIGKILL');
    await settle();
  });

  it('converges after a fault at each effect', async () => {
    const watched = faultyPorts(context.ports);
    await up([]);
    await up(ALL, watched.ports);
    const faults = watched.effects.flatMap((effect, at): Fault[] =>
      effect === 'observe' || effect.startsWith('egress.')
        ? [
            { at, when: 'before' },
            { at, when: 'after' },
          ]
        : [],
    );
    expect(faults.length).toBeGreaterThan(4);
    for (const fault of faults) {
      await up([]);
      await up(ALL, faultyPorts(context.ports, fault).ports).catch((error: unknown) => {
        expect(String(error)).toContain('injected');
      });
      await up(ALL);
      expect({ fault, left: await pending(ALL) }).toEqual({ fault, left: [] });
    }
  }, 60_000);

  it('leaves the machine as it was', async () => {
    await up([]);
    expect(await machine.sh('ip', 'rule')).not.toMatch(/519[012]/);
    expect(await machine.sh('ip', 'link')).not.toContain('gwout');
    expect(await machine.sh('ip', 'route', 'show', 'table', 'all')).not.toContain('10.64.');
    expect(await machine.sh('nft', 'list', 'ruleset')).toBe('');
    expect(await sysctl('up0.forwarding')).toBe('0');
  });
});
