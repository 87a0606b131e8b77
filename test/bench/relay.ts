import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { medianOf, secondsOf, type Figure } from './figure.ts';
import { bareWireguard, speed } from './throughput.ts';

const RUNS = 3;
const BARE_PORT = 51_999;
const PROGRAM = '/opt/gateway/bin/gateway';

/** Home behind one NAT; the visitor beside the relay, so that no other line counts. */
const TOPOLOGY = parseTopology(
  {
    nodes: {
      home: { defaultRoute: '192.168.50.1' },
      router: {
        kind: 'router',
        defaultRoute: '11.1.0.2',
        nat: { outside: 'uplink' },
        forwards: [{ protocol: 'udp', port: BARE_PORT, to: `192.168.50.10:${BARE_PORT}` }],
      },
      vps: {},
      visitor: { defaultRoute: '11.5.0.1' },
    },
    networks: {
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
      uplink: { router: '11.1.0.9/24', vps: '11.1.0.2/24' },
      access: { vps: '11.5.0.1/24', visitor: '11.5.0.2/24' },
    },
  },
  'bench-relay',
);

/** Through a relay, against bare WireGuard between the same two machines; and from joining it to the first byte. */
export async function benchRelay(signal: AbortSignal): Promise<Figure[]> {
  await using lab = await startLab(TOPOLOGY, { signal });
  const gateway = await LabGateway.prepare(lab, 'home', 'services: { shop: { port: 80, kind: tcp } }\n');
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 80);
  const invite = await startRelay(lab);
  const visitor = lab.node('visitor');
  const firstByte = await secondsOf(async () => {
    await gateway.command(signal, 'relay', 'join', invite);
    await gateway.command(signal, 'expose', 'shop', '--via', 'relay', '--port', '8000', '--no-wait');
    const argv = ['curl', '-sS', '--fail', '--retry', '99', '--retry-delay', '0', '--retry-all-errors'];
    await visitor.run([...argv, '--max-time', '30', '-o', '/dev/null', 'http://11.1.0.2:8000/'] as never, {
      signal,
    });
  });
  await bareWireguard([lab.node('home'), lab.node('vps')], BARE_PORT, `11.1.0.9:${BARE_PORT}`, signal);
  const through: number[] = [];
  const bare: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    through.push(await speed(visitor, 'http://11.1.0.2:8000', signal));
    bare.push(await speed(lab.node('vps'), 'http://10.200.0.1:8081', signal));
  }
  const [value, rival] = [medianOf(through), medianOf(bare)];
  const against = 'bare WireGuard between relay and home';
  return [
    {
      what: "from relay join and expose to a visitor's first byte",
      value: firstByte,
      unit: 's',
      goal: 'at most 3 s',
    },
    { what: against, value: rival, unit: 'Mbit/s', goal: 'the rival' },
    {
      what: 'by a port of the relay',
      value,
      unit: 'Mbit/s',
      against,
      ratio: value / rival,
      goal: 'at least 0.95',
    },
  ];
}

/** Resolves with its invite. */
async function startRelay(lab: Lab): Promise<string> {
  const vps = lab.node('vps');
  const logFile = join(vps.directory, 'relay.log');
  const state = ['--state', join(vps.directory, 'relay')];
  await vps.detach([PROGRAM, '--json', 'relay', 'up', '--listen', '11.1.0.2:7443', ...state], { logFile });
  for (;;) {
    const found = /"invite":"(gateway-relay:[^"]+)"/.exec(await readFile(logFile, 'utf8').catch(() => ''));
    if (found?.[1] !== undefined) return found[1];
    await sleep(100);
  }
}
