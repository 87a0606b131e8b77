import { expect, it } from 'vitest';
import { mappingTopology, startMappingHome } from '../support/mapping-lab.ts';

/** The gateway was off for longer than its lease: the router closed the port, as it should. */
it('opens the port again when its lease ended while nobody renewed it, and says for how long it was closed', async () => {
  const signal = AbortSignal.timeout(110_000);
  const topology = mappingTopology(['pcp', 'nat-pmp'], { longestLease: 20 });
  const home = await startMappingHome([], signal, () => Promise.resolve(), topology);
  try {
    const mapped = async (): Promise<string> => {
      const argv = ['nft', 'list', 'chain', 'inet', 'upnp', 'prerouting_miniupnpd'] as const;
      return (await home.lab.node('router').run(argv, { signal })).stdout;
    };
    await home.enrol();
    await home.served();
    const [pid = ''] = await home.owner.pidsOf('main.js daemon');
    await home.owner.home('kill', '-9', pid);
    await expect.poll(mapped, { timeout: 60_000, interval: 500 }).not.toContain('51820');
    await home.owner.type('up');
    expect(await home.served()).toBeLessThan(60);
    expect(await mapped()).toContain('51820');
    const { stdout } = await home.owner.type('events');
    expect(stdout).toMatch(/mapping\.lost .*UDP 51820 .*its lease ended while the gateway did not run/);
    expect(stdout).toMatch(
      /mapping\.made .*UDP 51820 is 11\.2\.0\.2:51820 outside.*; it was closed for \d+ s/,
    );
  } finally {
    await home.lab.stop();
  }
}, 110_000);
