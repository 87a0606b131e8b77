/**
 * How many packets a steady home sends, counted by the kernel of a lab's host. Prints, for each protocol, those of a look
 * at a mapping (the mean of six) and of a renewal; or those of a second try at a router that answers nothing, by all.
 */
import { MappingError, type MappingDriver } from '../../src/core/mapping.ts';
import { NatPmpDriver } from '../../src/system/mapping/nat-pmp.ts';
import { PcpDriver } from '../../src/system/mapping/pcp.ts';
import { UpnpDriver } from '../../src/system/mapping/upnp.ts';
import { run } from '../../src/system/run.ts';

const ROUTER = '192.168.50.1';
const LOOKS = 6;
const REQUEST = {
  transport: 'udp',
  internalAddress: '192.168.50.10',
  internalPort: 51_820,
  externalPort: 51_820,
  lifetimeSeconds: 3600,
  description: 'lab',
  nonce: '0102030405060708090a0b0c',
} as const;

const signal = AbortSignal.timeout(30_000);
await run(['nft', '-f', '-'], {
  signal,
  input:
    'table inet count {\nchain output {\ntype filter hook output priority 0\nmeta l4proto { tcp, udp } counter\n}\n}\n',
});

async function sent(): Promise<number> {
  const { stdout } = await run(['nft', 'list', 'chain', 'inet', 'count', 'output'], { signal });
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
}

async function packetsOf(act: () => Promise<unknown>): Promise<number> {
  const before = await sent();
  await act();
  return (await sent()) - before;
}

async function steady(driver: MappingDriver): Promise<{ look: number; renewal: number }> {
  const lease = await driver.map(REQUEST, signal);
  const looks = await packetsOf(async () => {
    for (let count = 0; count < LOOKS; count += 1) await driver.check(lease, signal);
  });
  const renewal = await packetsOf(() => driver.map(REQUEST, signal));
  await driver.unmap(lease, signal);
  return { look: looks / LOOKS, renewal };
}

async function inVain(driver: MappingDriver): Promise<void> {
  try {
    await driver.map(REQUEST, AbortSignal.timeout(15_000));
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
  }
}

const drivers = [new PcpDriver(ROUTER), new NatPmpDriver(ROUTER), new UpnpDriver(ROUTER)];
const found: Record<string, unknown> = {};
if (process.argv[2] === 'silent') {
  await Promise.all(drivers.map(inVain));
  found['packets'] = await packetsOf(() => Promise.all(drivers.map(inVain)));
} else {
  for (const driver of drivers) found[driver.protocol] = await steady(driver);
}
process.stdout.write(JSON.stringify(found));
