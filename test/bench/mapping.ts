import { NODE_INSIDE, parseTopology, startLab, type LabNode } from '../../src/lab/index.ts';
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
 * From nothing known to a port that the router opened: the router found, asked, and with ours also read back. The rivals
 * are programs that are started for it. The npm clients are not rivals here: none is a dependency, and none maps UDP by UPnP and removes it again.
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
  return [
    { what: 'first mapping: upnpc', value: upnpc, unit: 's', goal: 'the rival' },
    { what: 'first mapping: natpmpc', value: natpmpc, unit: 's', goal: 'reported' },
    { what: 'first mapping: ours by UPnP, Node started for it', value: whole, unit: 's', goal: 'reported' },
    {
      what: 'first mapping: ours by UPnP, in the daemon',
      value: ours,
      unit: 's',
      against: 'upnpc',
      ratio: ours / upnpc,
      goal: 'at most 0.5',
    },
  ];
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
