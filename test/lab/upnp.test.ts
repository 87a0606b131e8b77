import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { NODE_INSIDE, parseTopology, type Lab } from '../../src/lab/index.ts';
import type { Step } from '../support/fake-router/client-main.ts';
import type { Outcome } from '../support/fake-router/lab.ts';
import { outputOf, withLab } from '../support/lab.ts';
import { startMiniupnpd } from '../support/miniupnpd.ts';
import { udpThrough } from '../support/udp-through.ts';

vi.setConfig({ testTimeout: 60_000 });

const LISTEN = '/opt/gateway/test/support/fake-router/listen-main.ts';
const ROUTER = '192.168.50.1';
const ADDRESSES: Readonly<Record<string, string>> = { home: '192.168.50.10', laptop: '192.168.50.20' };
const topologyWith = (outsideAddress: string) =>
  parseTopology(
    {
      nodes: {
        home: { defaultRoute: ROUTER },
        laptop: { defaultRoute: ROUTER },
        router: { kind: 'router', nat: { outside: 'uplink' } },
        outside: {},
      },
      networks: {
        lan: { router: `${ROUTER}/24`, home: '192.168.50.10/24', laptop: '192.168.50.20/24' },
        uplink: { router: `${outsideAddress}.2/24`, outside: `${outsideAddress}.1/24` },
      },
    },
    'a home with miniupnpd',
  );

async function ask(lab: Lab, node: string, ...steps: Step[]): Promise<Outcome[]> {
  const program = '/opt/gateway/test/support/fake-router/client-main.ts';
  const argv = [NODE_INSIDE, program, ROUTER, ADDRESSES[node] ?? '', JSON.stringify(steps)] as const;
  return JSON.parse(await outputOf(lab, node, argv)) as Outcome[];
}

it('miniupnpd: a port is open to the world while it is mapped, and nobody takes it away', async () => {
  await withLab(topologyWith('11.2.0'), async (lab, signal) => {
    await startMiniupnpd(lab.node('router'), signal);
    const { heard, send } = await udpThrough(lab);
    await send('too early');
    const [lease, checked, renewed, table] = await ask(
      lab,
      'home',
      { map: {} },
      'check',
      { map: {} },
      'list',
    );
    expect(lease).toMatchObject({ externalPort: 51_820, externalAddress: '11.2.0.2' });
    expect(lease?.mark?.bootId).toMatch(/^uuid:6ba7b810.*#\d+$/);
    expect(checked).toMatchObject({ isThere: true });
    expect(renewed?.lifetimeSeconds).toBeGreaterThan(3590);
    expect(table).toMatchObject([
      { transport: 'udp', externalPort: 51_820, internalAddress: '192.168.50.10' },
    ]);
    await send('through');
    await expect.poll(heard, { timeout: 5000 }).toContain('through');

    // Another host wants the same: version 2 gives it another port, and takes nothing from the first.
    const [other] = await ask(lab, 'laptop', { map: { description: 'Gateway laptop' } });
    expect(other?.externalPort).toBeGreaterThan(0);
    expect(other?.externalPort).not.toBe(51_820);
    const [, gone, left] = await ask(lab, 'home', { map: {} }, 'unmap', 'list');
    expect(gone).toBeNull();
    expect(left).toMatchObject([{ internalAddress: '192.168.50.20' }]);
    await send('too late');
    expect(await heard()).not.toContain('too');
  });
});

it('miniupnpd with a private address outside: says that another router stands before it', async () => {
  await withLab(topologyWith('192.168.1'), async (lab, signal) => {
    await startMiniupnpd(lab.node('router'), signal);
    const [failed] = await ask(lab, 'home', { map: {} });
    expect(failed).toMatchObject({ refusal: 'no-address' });
    expect(failed?.error).toContain('it has no outside address of its own');
  });
});

it('miniupnpd: a restart is announced with another number, and forgot the mapping', async () => {
  await withLab(topologyWith('11.2.0'), async (lab, signal) => {
    const router = lab.node('router');
    await startMiniupnpd(router, signal);
    const [lease] = await ask(lab, 'home', { map: {} });
    const logFile = join(lab.node('home').directory, 'announced');
    await lab.node('home').detach([NODE_INSIDE, LISTEN, '192.168.50.10'], { logFile });
    await expect
      .poll(() => outputOf(lab, 'home', ['cat', '/proc/net/igmp']), { timeout: 10_000 })
      .toContain('FAFFFFEF');
    await lab.node('router').cut();
    // Its number is the second of its start, and no router starts within the second in which it went out.
    await sleep(1100);
    await lab.boot('router', signal);
    await startMiniupnpd(lab.node('router'), signal);
    await expect
      .poll(() => readFile(logFile, 'utf8'), { timeout: 15_000 })
      .toMatch(/192\.168\.50\.1 uuid:6ba7b810.*\n/);
    // The devices in it announce themselves under other names, which is no restart.
    const marks = new Set((await readFile(logFile, 'utf8')).trim().split('\n'));
    expect(marks.size).toBe(1);
    expect([...marks][0]).not.toContain(lease?.mark?.bootId);
    const [table] = await ask(lab, 'home', 'list');
    expect(table).toEqual([]);
  });
});
