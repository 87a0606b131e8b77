import { join } from 'node:path';
import { NODE_INSIDE, parseTopology, startLab, type LabNode } from '../../src/lab/index.ts';
import { toolsFolder } from '../../src/lab/places.ts';
import { run } from '../../src/system/run.ts';
import { startMiniupnpd } from '../support/miniupnpd.ts';
import { medianOf, secondsOf, type Figure } from './figure.ts';

const RUNS = 5;
const HOME = '192.168.50.10';
const ROUTER = '192.168.50.1';
/** Prints the milliseconds that a driver takes that knows nothing yet, as in the daemon, which runs already. */
const OURS = `const { UpnpDriver } = await import('/opt/gateway/dist/src/system/mapping/upnp.js');
const started = performance.now();
const lease = await new UpnpDriver('${ROUTER}').map({ transport: 'udp', internalAddress: '${HOME}', internalPort: 40003,
  externalPort: 40003, lifetimeSeconds: 600, description: 'bench', nonce: '' }, AbortSignal.timeout(20000));
console.log(lease.externalPort, performance.now() - started);`;

/** The npm client that found most routers of those tried; of UPnP it speaks WANIPConnection:2 alone. */
const CLIENT = '@achingbrain/nat-port-mapper';
const CLIENT_VERSION = '4.0.5';
/** The same for it: the time that it takes inside a program that runs already. */
const NPM = `const { upnpNat } = await import('/opt/gateway-tools/npm-client/node_modules/${CLIENT}/dist/src/index.js');
const started = performance.now();
const signal = AbortSignal.timeout(20000);
for await (const gateway of upnpNat().findGateways({ signal })) {
  const { externalPort } = await gateway.map(40004, '${HOME}', { protocol: 'udp', signal });
  console.log(externalPort, performance.now() - started);
  process.exit(0);
}`;

const TOPOLOGY = parseTopology(
  {
    nodes: {
      home: { defaultRoute: ROUTER },
      router: { kind: 'router', nat: { outside: 'uplink' } },
      outside: {},
    },
    networks: {
      lan: { router: `${ROUTER}/24`, home: `${HOME}/24` },
      uplink: { router: '11.2.0.2/24', outside: '11.2.0.1/24' },
    },
  },
  'mapping',
);

/**
 * From nothing known to a port that the router opened: the router found, asked, and with ours also read back. upnpc and
 * natpmpc are programs that are started for it; the npm client is fetched into the cache, and is no dependency.
 */
export async function benchMapping(signal: AbortSignal): Promise<Figure[]> {
  await using lab = await startLab(TOPOLOGY, { signal });
  const home = lab.node('home');
  await startMiniupnpd(lab.node('router'), signal);
  const upnpc = await timesOf(
    home,
    ['upnpc', '-a', HOME, '40001', '40001', 'udp', '600'],
    /is redirected/,
    signal,
  );
  const natpmpc = await timesOf(
    home,
    ['natpmpc', '-g', ROUTER, '-a', '0', '40002', 'udp', '600'],
    /Mapped public/,
    signal,
  );
  const program = [NODE_INSIDE, '--input-type=module', '-e', OURS] as const;
  const inside: number[] = [];
  const whole = await timesOf(home, program, /^40003 /, signal, (said) =>
    inside.push(Number(said.trim().split(' ')[1]) / 1000),
  );
  const ours = medianOf(inside);
  const npm = await npmClient(home, signal);
  return [
    { what: 'first mapping: upnpc', value: upnpc, unit: 's', goal: 'the rival' },
    { what: 'first mapping: natpmpc', value: natpmpc, unit: 's', goal: 'reported' },
    { what: `first mapping: ${CLIENT}`, value: npm, unit: 's', goal: 'the rival' },
    { what: 'first mapping: ours by UPnP, Node started for it', value: whole, unit: 's', goal: 'reported' },
    {
      what: 'first mapping: ours by UPnP, in the daemon',
      value: ours,
      unit: 's',
      against: 'upnpc',
      ratio: ours / upnpc,
      goal: 'at most 0.5',
    },
    {
      what: 'the same, against the npm client',
      value: ours,
      unit: 's',
      against: CLIENT,
      ratio: ours / npm,
      goal: 'at most 1',
    },
  ];
}

async function npmClient(home: LabNode, signal: AbortSignal): Promise<number> {
  const folder = join(toolsFolder(), 'npm-client');
  const what = [`${CLIENT}@${CLIENT_VERSION}`, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
  await run(['npm', 'install', '--prefix', folder, ...what], { signal, timeoutMs: 120_000 });
  const inside: number[] = [];
  const program = [NODE_INSIDE, '--input-type=module', '-e', NPM] as const;
  await timesOf(home, program, /^40004 /, signal, (said) =>
    inside.push(Number(said.trim().split(' ')[1]) / 1000),
  );
  return medianOf(inside);
}

/** Seconds (median) of a program that maps a port; throws when it did not. */
async function timesOf(
  node: LabNode,
  command: readonly [string, ...string[]],
  isMapped: RegExp,
  signal: AbortSignal,
  heard: (said: string) => void = () => undefined,
): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    let said = '';
    times.push(await secondsOf(async () => (said = (await node.run(command, { signal })).stdout)));
    heard(said);
    if (!isMapped.test(said)) throw new Error(`${command[0]} mapped nothing: ${said}`);
  }
  return medianOf(times);
}
