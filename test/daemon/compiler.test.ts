import { expect, it } from 'vitest';
import type { Config } from '../../src/core/config.ts';
import type { Ledgers } from '../../src/core/desired.ts';
import { Compiler } from '../../src/daemon/compiler.ts';

const CONFIG: Config = { prefix: 'gw', pool: undefined, services: [], stun: [], relays: [], settings: {} };
const POOL = '10.64.0.0/20';
const ULA = 'fd01:203:405::/48';
const signal = AbortSignal.timeout(5000);

/** A daemon's compiler on a machine with these routes, and what it stores. */
function machine({ routes = [] as string[], hasIpv6 = true, ledger = {} as Ledgers }) {
  const state = { ledger };
  const compiler = new Compiler({
    store: { devices: () => [], ledger: () => state.ledger },
    parts: [],
    providers: [],
    hostRoutes: (_signal, family) => Promise.resolve(family === '-6' ? routes : []),
    hasIpv6: () => Promise.resolve(hasIpv6),
    random: (bytes) => Uint8Array.from({ length: bytes }, (_, index) => index + 1),
  });
  return {
    up: async (config = CONFIG) => {
      const { ledger: chosen, network } = await compiler.compile(config, signal);
      state.ledger = chosen;
      return network.ula;
    },
    adopt: async () => (await compiler.adopt(CONFIG, signal)).network.ula,
    remarks: () => compiler.remarks(),
    kept: () => state.ledger['network']?.['ula'],
  };
}

it('chooses a block once and keeps it', async () => {
  const { up, adopt, kept } = machine({});
  expect(await up()).toBe(ULA);
  expect(kept()).toBe(ULA);
  expect([await adopt(), await up()]).toEqual([ULA, ULA]);
});

it('adds IPv6 to a gateway from before with the next up, and not by itself', async () => {
  const { up, adopt } = machine({ ledger: { network: { pool: POOL, prefix: 'gw' } } });
  expect(await adopt()).toBeUndefined();
  expect(await up()).toBe(ULA);
  expect(await adopt()).toBe(ULA);
});

it("takes the owner's block, unless this machine has a route into it", async () => {
  const mine = 'fd12:3456:789a::/48';
  const { up, kept } = machine({ routes: ['fd99:1:2:3::/64', 'fe80::/64'] });
  await expect(up({ ...CONFIG, ula: 'fd99:1:2::/48' })).rejects.toThrow(
    'ula fd99:1:2::/48 is in use on this machine already: it has a route to fd99:1:2:3::/64',
  );
  expect(await up({ ...CONFIG, ula: mine })).toBe(mine);
  expect(kept()).toBe(mine);
  expect(await up()).toBe(mine);
});

it('goes on with the block that it has when a route into it comes later', async () => {
  const ledger = { network: { pool: POOL, prefix: 'gw', ula: ULA } };
  const { up } = machine({ routes: ['fd01:203:405:1::/64'], ledger });
  expect(await up()).toBe(ULA);
  expect(await up({ ...CONFIG, ula: ULA })).toBe(ULA);
});

it('does without IPv6 where the kernel has none, says so, and keeps its block for later', async () => {
  const { up, adopt, kept, remarks } = machine({ hasIpv6: false, ledger: { network: { ula: ULA } } });
  expect([await up(), await adopt()]).toEqual([undefined, undefined]);
  expect(kept()).toBe(ULA);
  expect(await remarks()).toEqual([expect.stringContaining('speaks no IPv6')]);
  expect(await machine({}).remarks()).toEqual([]);
});
