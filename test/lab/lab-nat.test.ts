import { expect, it } from 'vitest';
import { NODE_INSIDE, parseTopology, type Topology } from '../../src/lab/index.ts';
import { NAT_BEHAVIOURS, type NatBehaviour } from '../../src/lab/topology.ts';
import { outputOf, withLab } from '../support/lab.ts';

/** A home behind one router, and a host outside with two addresses. */
function behind(behaviour: NatBehaviour): Topology {
  return parseTopology(
    {
      nodes: {
        home: { defaultRoute: '192.168.50.1' },
        router: { kind: 'router', nat: { outside: 'uplink', behaviour } },
        outside: {},
      },
      networks: {
        lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
        uplink: { router: '11.2.0.2/24', outside: ['11.2.0.1/24', '11.2.0.3/24'] },
      },
    },
    behaviour,
  );
}

/** Answers each datagram with the port it came from, and once more from other addresses and ports. */
const ANSWER = `const dgram = require('node:dgram');
const open = (address, port) => dgram.createSocket('udp4').bind(port, address);
const sockets = ['11.2.0.1:1000', '11.2.0.1:2000', '11.2.0.3:1000'].map((name) => [name, open(...name.split(':'))]);
for (const [name, socket] of sockets) socket.on('message', (text, from) => {
  socket.send('seen ' + name + ' ' + from.port, from.port, from.address);
  if (String(text) === 'all') for (const [other, by] of sockets) by.send('from ' + other, from.port, from.address);
});`;

/** Which ports the two addresses saw, then who got an answer through after speaking to 11.2.0.1:1000 only. */
const ASK = `const dgram = require('node:dgram');
const listen = (port) => { const heard = []; const socket = dgram.createSocket('udp4').bind(port);
  socket.on('message', (text) => heard.push(String(text))); return { socket, heard }; };
const first = listen(4001), second = listen(4002);
setTimeout(() => { first.socket.send('one', 1000, '11.2.0.1'); first.socket.send('one', 1000, '11.2.0.3'); }, 300);
setTimeout(() => second.socket.send('all', 1000, '11.2.0.1'), 400);
setTimeout(() => { console.log(JSON.stringify({ seen: first.heard.sort(), through: second.heard.filter((t) => t.startsWith('from')).sort() })); process.exit(); }, 900);`;

const EVERYBODY = ['from 11.2.0.1:1000', 'from 11.2.0.1:2000', 'from 11.2.0.3:1000'];
const EXPECTED: Record<NatBehaviour, { isSamePort: boolean; isPortKept: boolean; through: string[] }> = {
  'endpoint-independent': { isSamePort: true, isPortKept: true, through: EVERYBODY.slice(0, 1) },
  symmetric: { isSamePort: false, isPortKept: false, through: EVERYBODY.slice(0, 1) },
  'full-cone': { isSamePort: true, isPortKept: true, through: EVERYBODY },
  'address-restricted': { isSamePort: true, isPortKept: true, through: EVERYBODY.slice(0, 2) },
  'port-block': { isSamePort: true, isPortKept: false, through: EVERYBODY.slice(0, 1) },
  'symmetric-port-block': { isSamePort: false, isPortKept: false, through: EVERYBODY.slice(0, 1) },
};

it.each(NAT_BEHAVIOURS)('a router that is %s maps and filters so', async (behaviour) => {
  await withLab(behind(behaviour), async (lab) => {
    const logFile = `${lab.node('outside').directory}/log`;
    await lab.node('outside').detach([NODE_INSIDE, '-e', ANSWER], { logFile });
    const { seen, through } = JSON.parse(await outputOf(lab, 'home', [NODE_INSIDE, '-e', ASK])) as {
      seen: string[];
      through: string[];
    };
    const ports = seen.map((line) => line.split(' ').at(-1));
    const expected = EXPECTED[behaviour];
    expect(ports).toHaveLength(2);
    expect(ports[0] === ports[1]).toBe(expected.isSamePort);
    expect(ports[0] === '4001').toBe(expected.isPortKept);
    expect(through).toEqual(expected.through);
  });
});
