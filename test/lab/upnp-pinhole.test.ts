import { expect, it } from 'vitest';
import { NODE_INSIDE, parseTopology, type Lab } from '../../src/lab/index.ts';
import type { Step } from '../support/fake-router/client-main.ts';
import type { Outcome } from '../support/fake-router/lab.ts';
import { outputOf, withLab } from '../support/lab.ts';
import { startMiniupnpd } from '../support/miniupnpd.ts';

const HOME = '2001:db8:50::10';
const ROUTER = '2001:db8:50::1';
const TOPOLOGY = parseTopology(
  {
    nodes: { home: {}, router: { kind: 'router' }, outside: {} },
    networks: {
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
      uplink: { router: '11.2.0.2/24', outside: '11.2.0.1/24' },
    },
  },
  'a home with IPv6',
);

async function startRouter(lab: Lab, signal: AbortSignal): Promise<void> {
  const address = (node: string, ...args: string[]) =>
    lab.node(node).run(['ip', '-6', ...args] as [string, ...string[]], { signal });
  await address('router', 'addr', 'add', `${ROUTER}/64`, 'dev', 'lan', 'nodad');
  await address('router', 'addr', 'add', '2001:db8:2::2/64', 'dev', 'uplink', 'nodad');
  await address('home', 'addr', 'add', `${HOME}/64`, 'dev', 'lan', 'nodad');
  await address('home', 'route', 'add', 'default', 'via', ROUTER);
  await address('outside', 'addr', 'add', '2001:db8:2::1/64', 'dev', 'uplink', 'nodad');
  await address('outside', 'route', 'add', '2001:db8:50::/64', 'via', '2001:db8:2::2');
  const router = lab.node('router');
  await router.run(['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1'], { signal });
  await startMiniupnpd(router, signal);
}

async function ask(lab: Lab, ...steps: Step[]): Promise<Outcome[]> {
  const program = '/opt/gateway/test/support/fake-router/client-main.ts';
  return JSON.parse(
    await outputOf(lab, 'home', [NODE_INSIDE, program, ROUTER, HOME, JSON.stringify(steps)]),
  ) as Outcome[];
}

it('opens the IPv6 firewall of a router with miniupnpd, keeps it open, and closes it', async () => {
  await withLab(TOPOLOGY, async (lab, signal) => {
    await startRouter(lab, signal);
    const logFile = `${lab.node('home').directory}/heard`;
    const listen = `require('node:dgram').createSocket('udp6').on('message', (text) => console.log(String(text))).bind(51820)`;
    await lab.node('home').detach([NODE_INSIDE, '-e', listen], { logFile });
    const send = (text: string): Promise<string> =>
      outputOf(lab, 'outside', [
        NODE_INSIDE,
        '-e',
        `const s = require('node:dgram').createSocket('udp6'); s.send('${text}', 51820, '${HOME}', () => s.close())`,
      ]);
    const heard = (): Promise<string> => outputOf(lab, 'home', ['cat', logFile]);
    await send('too early');
    const [lease, checked, renewed, , again] = await ask(lab, { map: {} }, 'check', { map: {} }, 'forget', {
      map: {},
    });
    expect(lease).toMatchObject({ externalPort: 51_820, externalAddress: HOME, lifetimeSeconds: 3600 });
    expect(checked).toMatchObject({ isThere: true });
    expect([renewed, again]).toEqual([lease, lease]);
    await send('through');
    await expect.poll(heard, { timeout: 5000 }).toContain('through');
    const [, , gone] = await ask(lab, { map: {} }, 'forget', 'unmap');
    expect(gone).toBeNull();
    await send('too late');
    await expect
      .poll(() => outputOf(lab, 'router', ['nft', 'list', 'chain', 'inet', 'upnp', 'miniupnpd']))
      .not.toContain('accept');
    expect(await heard()).not.toContain('too');
  });
});
