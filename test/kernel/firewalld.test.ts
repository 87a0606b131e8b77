import { afterAll, beforeAll, expect, it } from 'vitest';
import { firewallLooks, type FirewallLooks } from '../support/firewall-looks.ts';
import { fetchFirewalld, startFirewalld } from '../support/firewalld.ts';
import { EXIT, ROUTER, startIsolation, type Isolation } from '../support/isolation-lab.ts';

/**
 * Debian's own firewalld on the home's machine, in a lab. Here because of what it needs: its package with D-Bus and Python
 * is fetched at the first run, and no other test needs it.
 */
let world: Isolation;
let looks: FirewallLooks;
const signal = AbortSignal.timeout(400_000);
beforeAll(async () => {
  await fetchFirewalld(signal);
  world = await startIsolation(signal);
  looks = firewallLooks(world, signal);
}, 300_000);
afterAll(() => world?.lab.stop());

it('keeps the ways in; what it drops opens by the line that the status tells, and its reloads harm nobody for long', async () => {
  await expect.poll(() => looks.hidden(), { timeout: 30_000 }).toContain(EXIT);
  expect(await looks.open()).toContain(ROUTER);
  const change = async (): Promise<void> => {
    let firewallCmd: Awaited<ReturnType<typeof startFirewalld>> | undefined;
    await looks.meanwhile(async () => {
      firewallCmd = await startFirewalld(world.home, signal);
    });
    expect(await firewallCmd?.('--get-default-zone')).toBe('public');
    expect(await looks.hidden()).toContain(EXIT);
    expect(await looks.open()).toBe('');
    const line = 'firewall-cmd --permanent --zone=trusted --add-interface=gwout';
    expect((await looks.notices()).join()).toMatch(
      new RegExp(`open sends.*: ${line} && firewall-cmd --reload$`),
    );
    await firewallCmd?.(...line.split(' ').slice(1));
    // While it reloads, it lets in only what is open already: about a second, on a machine that has nothing else to do.
    await looks.meanwhile(async () => firewallCmd?.('--reload'));
    expect(await looks.open()).toContain(ROUTER);
    expect(await looks.hidden()).toContain(EXIT);
    expect(await looks.notices()).toEqual([]);
  };
  expect(await looks.strays(change)).toEqual([]);
}, 120_000);
