import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firewallLooks, type FirewallLooks } from '../support/firewall-looks.ts';
import { EXIT, ROUTER, startIsolation, type Isolation } from '../support/isolation-lab.ts';
import { hasUfw, installUfw } from '../support/ufw.ts';

/** Debian's own ufw on the home's machine: enabled, loaded anew and switched off beside a gateway that runs. */
let world: Isolation;
let looks: FirewallLooks;
let ufw: ReturnType<typeof installUfw>;
const signal = AbortSignal.timeout(280_000);

describe.skipIf(!hasUfw)('ufw (needs it, iptables and python3: bin/setup fetches the first)', () => {
  beforeAll(async () => {
    world = await startIsolation(signal);
    looks = firewallLooks(world, signal);
    ufw = installUfw(world.home, signal);
  }, 60_000);
  afterAll(() => world?.lab.stop());

  it('is enabled: ways in stay open, and what it drops is named with the lines that let it through', async () => {
    await expect.poll(() => looks.hidden(), { timeout: 30_000 }).toContain(EXIT);
    expect(await looks.open()).toContain(ROUTER);
    const enable = async (): Promise<void> => {
      await looks.meanwhile(() => ufw('--force', 'enable'));
      expect(await ufw('status', 'verbose')).toContain('deny (incoming)');
      expect(await Promise.all([looks.hidden(), looks.open()])).toEqual(['', '']);
      const said = (await looks.notices()).join();
      const lines = (said.split(': ').at(-1) ?? '').split('; ').sort();
      expect(lines).toEqual(['ufw allow in on gwhost', 'ufw route allow in on gwout']);
      for (const line of lines) await ufw(...line.split(' ').slice(1));
      expect(await looks.hidden()).toContain(EXIT);
      expect(await looks.open()).toContain(ROUTER);
      expect(await looks.notices()).toEqual([]);
    };
    expect(await looks.strays(enable)).toEqual([]);
  }, 60_000);

  it('is loaded anew, emptied and switched off: nothing opens, nothing of ours is gone for longer than a second', async () => {
    const change = async (): Promise<void> => {
      await looks.meanwhile(async () => {
        await ufw('reload');
        await ufw('--force', 'reset');
        await ufw('--force', 'enable');
        await ufw('disable');
      });
      await expect.poll(() => looks.hidden(), { timeout: 10_000 }).toContain(EXIT);
      expect(await looks.open()).toContain(ROUTER);
    };
    expect(await looks.strays(change)).toEqual([]);
  }, 60_000);
});
