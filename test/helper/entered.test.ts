import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EnteredPlace, SeenNamespace } from '../../src/core/entered.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine, until } from '../support/machine.ts';
import { type Podman, PODMAN_LACKS, startPodman } from '../support/podman.ts';
import { dial, SERVER, serve, talk } from '../support/traffic.ts';

/** Namespaces that somebody else made: entered, and left as they were found. */
let machine: Machine;
let gateway: Gateway;

const ADDRESS = '10.64.1.2';
const PORT = 8080;
const ULA = 'fd12:3456:789a::/48';
const TWIN = 'fd12:3456:789a::a40:102';

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine, 'gw', '10.64.0.0/20', ULA);
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

async function permit(place: EnteredPlace, name = 'lnd', address = ADDRESS): Promise<void> {
  await gateway.apply({
    services: { [name]: { address, port: PORT, place: { type: 'entered', ...place } } },
  });
}

async function enter(place: EnteredPlace): Promise<void> {
  await permit(place);
  await gateway.call('hub.ensure', {});
  await gateway.call('entered.ensure', { service: 'lnd', spec: { ...place, address: ADDRESS } });
  const source = gateway.network.tor;
  const flow = { via: 'host', source, address: ADDRESS, port: PORT, protocol: 'tcp' } as const;
  await gateway.call('flows.replace', { flows: [flow] });
}

const observed = async () => (await gateway.call('observe', {})).entered;
const reach = (): Promise<string> =>
  dial(machine, undefined, { from: gateway.network.tor, host: ADDRESS, port: PORT });

/** Everything that a person could notice in a namespace. */
async function stateOf(path: string): Promise<string> {
  const within = ['nsenter', `--net=${path}`, '--'] as const;
  const said = [
    await machine.sh(...within, 'ip', 'address'),
    await machine.sh(...within, 'ip', 'route', 'show', 'table', 'all'),
    await machine.sh(...within, 'ip', 'rule'),
    await machine.sh(...within, 'nft', 'list', 'ruleset'),
    await machine.sh(...within, 'sysctl', '-a', '--pattern', '^net\\.'),
  ];
  const lines = said.join('\n').split('\n');
  // Lifetimes and counters of the kernel run on by themselves.
  return lines
    .filter((line) => !/conntrack_count|nf_conntrack_(max|buckets)|dev_weight|random/.test(line))
    .join('\n');
}

/** A process in a network namespace of its own, and the id of it. */
async function startAlone(...command: readonly string[]): Promise<{ pid: string; process: ChildProcess }> {
  const script = `echo $$; exec ${command.length === 0 ? 'sleep 1000' : command.join(' ')}`;
  const process = machine.start('unshare', '--net', 'sh', '-c', script);
  const [said] = (await once(process.stdout ?? process, 'data')) as [Buffer];
  return { pid: said.toString().trim(), process };
}

describe('a namespace with a name', () => {
  const place = { by: 'name', value: 'theirs' } as const;
  let before: string;

  beforeAll(async () => {
    await machine.sh('ip', 'netns', 'add', 'theirs');
    // Somebody's own network: an uplink with a default route, a firewall, forwarding.
    const set = ['nsenter', '--net=/run/netns/theirs', '--', 'sh', '-c'] as const;
    await machine.sh(
      ...set,
      `ip link set lo up; ip link add up0 type veth peer name up1; ip link set up1 up; ip link set up0 up; ip addr add 192.168.7.2/24 dev up0
       ip route add default via 192.168.7.1; ip rule add priority 50 from 192.168.7.9 lookup 77
       sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1
       nft 'add table inet own; add chain inet own in { type filter hook input priority 0; policy accept; }; add rule inet own in tcp dport 22 drop'`,
    );
    // Its IPv6 addresses settle a moment after they appear.
    before = await until(async () => {
      const state = await stateOf('/run/netns/theirs');
      return state.includes('tentative') ? undefined : state;
    });
  });

  it('gets one marked interface, over which the service is reached', async () => {
    await enter(place);
    await serve(machine, 'theirs', 'lnd', PORT);
    expect(await reach()).toBe(`lnd sees ${gateway.network.tor}`);
    expect(await observed()).toEqual([{ service: 'lnd', spec: { ...place, address: ADDRESS } }]);
    const links = await machine.sh('ip', '-n', 'theirs', '-o', 'link');
    expect(links.split('\n')).toHaveLength(4);
    expect(links).toMatch(/gw0@.*alias gateway:/s);
  });

  it('keeps its own default route, rules, firewall and settings', async () => {
    const lines = (await stateOf('/run/netns/theirs')).split('\n');
    const old = before.split('\n');
    expect(old.filter((line) => !lines.includes(line))).toEqual([]);
    const added = lines.filter((line) => !old.includes(line) && !/gw0|10\.64\.|fd12:3456:789a:/.test(line));
    // What is left over are the two lines that `ip address` prints below our interface.
    expect(added.every((line) => /link\/ether|valid_lft/.test(line))).toBe(true);
  });

  it('is reached over IPv6 too, by who was declared', async () => {
    await serve(machine, 'theirs', 'lnd in both', PORT + 1, '::');
    const wiki = { namespace: 'wiki', address: '10.64.1.3', port: 80 };
    const lnd = { service: 'lnd', address: ADDRESS, port: PORT + 1 };
    await gateway.apply({
      services: {
        lnd: { address: ADDRESS, port: PORT + 1, place: { type: 'entered', ...place } },
        wiki: {
          address: wiki.address,
          port: 80,
          place: { type: 'namespace', name: 'wiki' },
          upstreams: ['lnd'],
        },
      },
    });
    const spec = { ...wiki, upstreams: [lnd] };
    await gateway.call('namespace.ensure', { service: 'wiki', spec });
    const to = { host: TWIN, port: PORT + 1 };
    expect(await dial(machine, 'gw-wiki', to)).toBe('nothing');
    const flow = {
      via: 'service/wiki',
      source: wiki.address,
      address: ADDRESS,
      port: PORT + 1,
      protocol: 'tcp',
    } as const;
    await gateway.call('flows.replace', { flows: [flow] });
    expect(await dial(machine, 'gw-wiki', to)).toBe('lnd in both sees fd12:3456:789a::a40:103');
    // Never the source of what it sends elsewhere.
    const route = await machine.sh('ip', '-6', '-n', 'theirs', 'route', 'get', 'fd12:3456:789a::a40:103');
    expect(route).toContain('dev gw0');
    expect(await machine.sh('ip', '-6', '-n', 'theirs', 'addr', 'show', 'dev', 'gw0')).toContain(
      'deprecated',
    );
    await gateway.call('namespace.remove', { service: 'wiki' });
    await enter(place);
  });

  it('reaches nothing through the hub, and neither does whoever sits behind it', async () => {
    const source = { from: ADDRESS, host: gateway.network.tor, port: PORT };
    await serve(machine, undefined, 'host', PORT);
    expect(await dial(machine, 'theirs', source)).toBe('nothing');
  });

  it('keeps its connections when it is applied again', async () => {
    const lasting = talk(machine, { from: gateway.network.tor, host: ADDRESS, port: PORT });
    await lasting.next();
    await enter(place);
    await enter(place);
    expect(await lasting.next()).toBe('alive');
  });

  it('is as it was, to the byte, when the service is removed', async () => {
    await gateway.call('entered.remove', { service: 'lnd' });
    expect(await stateOf('/run/netns/theirs')).toBe(before);
    expect(await observed()).toEqual([]);
    expect(await machine.sh('ip', '-n', 'gw-hub', '-o', 'link')).not.toContain('s-');
  });

  it('is as it was when the hub goes first', async () => {
    await enter(place);
    await gateway.call('hub.remove', {});
    expect(await stateOf('/run/netns/theirs')).toBe(before);
    await gateway.call('entered.remove', { service: 'lnd' });
  });

  it('is found again when it was deleted and made anew', async () => {
    await enter(place);
    await machine.sh('ip', 'netns', 'del', 'theirs');
    expect((await observed())[0]?.renew).toMatch(/gone/);
    await expect(enter(place)).rejects.toMatchObject({
      code: 'NamespaceMissing',
      message: 'namespace theirs does not exist, so its network namespace is not there',
    });
    await machine.sh('ip', 'netns', 'add', 'theirs');
    await enter(place);
    await serve(machine, 'theirs', 'new lnd', PORT);
    expect(await reach()).toBe(`new lnd sees ${gateway.network.tor}`);
    await gateway.call('entered.remove', { service: 'lnd' });
  });
});

it('converges after a kill -9 at any moment of entering', async () => {
  await machine.sh('ip', 'netns', 'add', 'cut');
  const place = { by: 'name', value: 'cut' } as const;
  await permit(place);
  const before = await stateOf('/run/netns/cut');
  for (let delayMs = 0; delayMs < 100; delayMs += 20) {
    await gateway.call('hub.ensure', {});
    const spec = { ...place, address: ADDRESS };
    const cut = gateway.call('entered.ensure', { service: 'lnd', spec }).catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await gateway.kill();
    await cut;
    await gateway.restart();
    if (delayMs % 40 === 0) {
      await enter(place);
      expect(await observed(), `killed after ${delayMs} ms`).toEqual([{ service: 'lnd', spec }]);
    }
    await gateway.call('entered.remove', { service: 'lnd' });
    expect(await stateOf('/run/netns/cut'), `killed after ${delayMs} ms`).toBe(before);
    expect(await observed()).toEqual([]);
  }
}, 60_000);

describe('what is not taken', () => {
  it("the machine's own network", async () => {
    await expect(enter({ by: 'pid', value: '1' })).rejects.toMatchObject({
      code: 'NamespaceTaken',
      message: "process 1 uses the machine's own network",
      hint: 'write namespace: host for lnd instead',
    });
  });

  it('a namespace that we made', async () => {
    await expect(enter({ by: 'name', value: 'gw-hub' })).rejects.toMatchObject({ code: 'NamespaceTaken' });
  });

  it('an interface that has our name', async () => {
    await machine.sh('ip', 'netns', 'add', 'odd');
    await machine.sh('ip', '-n', 'odd', 'link', 'add', 'gw0', 'type', 'veth');
    const before = await stateOf('/run/netns/odd');
    await expect(enter({ by: 'name', value: 'odd' })).rejects.toMatchObject({ code: 'NamespaceTaken' });
    expect(await stateOf('/run/netns/odd')).toBe(before);
  });

  it('a route into the pool', async () => {
    await machine.sh('ip', 'netns', 'add', 'routed');
    const script =
      'ip link add up0 type veth peer name up1; ip link set up1 up; ip link set up0 up; ip route add 10.64.3.0/24 dev up0';
    await machine.sh('nsenter', '--net=/run/netns/routed', '--', 'sh', '-c', script);
    await expect(enter({ by: 'name', value: 'routed' })).rejects.toMatchObject({
      code: 'NamespaceTaken',
      message: 'namespace routed has a route to 10.64.3.0/24 already, which lies in the pool 10.64.0.0/20',
    });
  });

  it('a route into the IPv6 block, and makes nothing', async () => {
    await machine.sh('ip', 'netns', 'add', 'routed6');
    const script =
      'ip link add up0 type veth peer name up1; ip link set up1 up; ip link set up0 up; ip route add fd12:3456:789a:7::/64 dev up0';
    await machine.sh('nsenter', '--net=/run/netns/routed6', '--', 'sh', '-c', script);
    await expect(enter({ by: 'name', value: 'routed6' })).rejects.toMatchObject({
      code: 'NamespaceTaken',
      message: `namespace routed6 has a route to fd12:3456:789a:7::/64 already, which lies in the block ${ULA}`,
    });
    expect(await machine.sh('ip', '-n', 'routed6', '-o', 'link')).not.toContain('gw0');
  });

  it('the place of another service, under whatever name', async () => {
    const { pid, process } = await startAlone();
    await enter({ by: 'pid', value: pid });
    await permit({ by: 'pid', value: pid }, 'cln', '10.64.1.3');
    const spec = { by: 'pid', value: pid, address: '10.64.1.3' } as const;
    await expect(gateway.call('entered.ensure', { service: 'cln', spec })).rejects.toMatchObject({
      code: 'NamespaceTaken',
      message: `process ${pid} is the place of service lnd already`,
    });
    await gateway.call('entered.remove', { service: 'cln' });
    await gateway.call('entered.remove', { service: 'lnd' });
    process.kill();
  });
});

it('a process is entered, and gone when it ends', async () => {
  const { pid } = await startAlone();
  const place = { by: 'pid', value: pid } as const;
  await enter(place);
  expect(await observed()).toEqual([{ service: 'lnd', spec: { ...place, address: ADDRESS } }]);
  await machine.sh('kill', '-9', pid);
  await until(async () => ((await observed())[0]?.renew === undefined ? undefined : true));
  await expect(enter(place)).rejects.toMatchObject({ code: 'NamespaceMissing' });
  await gateway.call('entered.remove', { service: 'lnd' });
});

it('a unit is entered at its main process', async () => {
  // systemd is not PID 1 here: a program of its name answers as `systemctl show` does.
  const { pid } = await startAlone();
  const program = `#!/bin/sh\n[ "$*" = "show --property=MainPID --value lnd.service" ] && echo ${pid}\n`;
  await placeProgram('systemctl', program);
  await enter({ by: 'unit', value: 'lnd.service' });
  expect(await machine.sh('nsenter', `--net=/proc/${pid}/ns/net`, '--', 'ip', '-br', 'addr')).toContain(
    ADDRESS,
  );
  await gateway.call('entered.remove', { service: 'lnd' });
});

/** Into the directory that is first on the helper's PATH for this. */
async function placeProgram(name: string, text: string): Promise<void> {
  await mkdir(machine.outside('/run/bin'), { recursive: true });
  await writeFile(machine.outside(`/run/bin/${name}`), text);
  await chmod(machine.outside(`/run/bin/${name}`), 0o755);
}

describe.skipIf(PODMAN_LACKS !== undefined)('a container of podman', () => {
  const place = { by: 'container', value: 'lnd' } as const;
  let podman: Podman;
  let before: string;

  beforeAll(async () => {
    podman = await startPodman(machine);
    await podman.start('lnd', 'node', '-e', SERVER, 'lnd', String(PORT));
  });

  /** Resolves with how long it took until the watch saw something else. */
  async function watched(seen: readonly SeenNamespace[]): Promise<readonly SeenNamespace[]> {
    return (await gateway.call('entered.watch', { seen: [...seen] })).seen;
  }

  it('is entered, reached, and told apart from one that does not run', async () => {
    await enter(place);
    await until(async () => ((await reach()) === 'nothing' ? undefined : true));
    expect(await reach()).toBe(`lnd sees ${gateway.network.tor}`);
    expect(await observed()).toEqual([{ service: 'lnd', spec: { ...place, address: ADDRESS } }]);
    expect(await gateway.call('namespace.listeners', { services: ['lnd'] })).toEqual({
      found: [{ service: 'lnd', listeners: [{ address: '0.0.0.0', port: PORT }] }],
      failed: [],
    });
    await expect(enter({ by: 'container', value: 'none' })).rejects.toMatchObject({
      code: 'NamespaceMissing',
      message: 'container none is not running, so its network namespace is not there',
    });
    await permit(place);
  });

  it('is told of when it stops, and when it comes back in another namespace', async () => {
    const first = await watched([]);
    before = first[0]?.namespace ?? '';
    expect(first).toEqual([{ service: 'lnd', namespace: expect.stringMatching(/^\d+ \d+$/) as string }]);
    const stop = podman.podman('kill', 'lnd');
    const gone = await watched(first);
    expect(gone).toEqual([{ service: 'lnd', namespace: '' }]);
    await stop;
    await expect(enter(place)).rejects.toMatchObject({ code: 'NamespaceMissing' });
    expect((await observed())[0]?.renew).toBeDefined();
    const waiting = watched(gone);
    await podman.podman('start', 'lnd');
    const startedAt = Date.now();
    const back = await waiting;
    expect(Date.now() - startedAt).toBeLessThan(1000);
    expect(back[0]?.namespace).toMatch(/^\d+ \d+$/);
    expect(back[0]?.namespace).not.toBe(before);
    await enter(place);
    await until(async () => ((await reach()) === 'nothing' ? undefined : true));
  });

  it('is left as it was found', async () => {
    const path = `/proc/${await podman.pidOf('lnd')}/ns/net`;
    const within = await stateOf(path);
    expect(within).toContain('gw0');
    await gateway.call('entered.remove', { service: 'lnd' });
    const after = await stateOf(path);
    expect(after).not.toMatch(/gw0|10\.64\./);
    await enter(place);
    expect((await stateOf(path)).replace(/\b\d+: gw0.*$/s, '')).toBe(within.replace(/\b\d+: gw0.*$/s, ''));
    await gateway.call('entered.remove', { service: 'lnd' });
    expect(await stateOf(path)).toBe(after);
  });

  it('costs next to nothing to watch, whether it runs or not', async () => {
    const running = await cpuDuring(async () => {
      const seen = await watched([]);
      const waiting = watched(seen);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const stop = podman.podman('kill', 'lnd');
      await waiting;
      await stop;
    });
    expect(running).toBeLessThan(0.05);
    const missing = await cpuDuring(async () => {
      const seen = await watched([]);
      await Promise.race([watched(seen), new Promise((resolve) => setTimeout(resolve, 3000))]);
    });
    expect(missing).toBeLessThan(0.05);
  });
});

/** Share of one core that the helper (and what it starts) used meanwhile. */
async function cpuDuring(work: () => Promise<void>): Promise<number> {
  const before = await ticks();
  const startedAt = Date.now();
  await work();
  return ((await ticks()) - before) / 100 / ((Date.now() - startedAt) / 1000);
}

async function ticks(): Promise<number> {
  const pid = await machine.sh('pgrep', '-of', 'helper-process.ts');
  const fields = (await machine.sh('cat', `/proc/${pid}/stat`)).replace(/^.*\) /s, '').split(' ');
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
}
