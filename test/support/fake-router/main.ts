/**
 * A home router that misbehaves as it is told: SSDP and the web server of UPnP on real sockets. Runs on a router of a lab.
 * Arguments: its address in the home; one of IPv6 has the web server alone. What it does comes as JSON to port 4999 (`Command`); it answers with its table.
 */
import { createSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { IGD_DEVICE, answerText, CONNECTION, notifyText } from './messages.ts';
import type { RouterScript } from './script.ts';
import { FakeWeb } from './web.ts';

export type Command =
  | { readonly play: RouterScript }
  | { readonly pass: number }
  | { readonly reboot: number; readonly announce: boolean }
  | { readonly tell: true };

const address = process.argv[2] ?? '';
const GROUP = '239.255.255.250';
let script: RouterScript = { name: 'honest' };
let bootId = 1;
let web = new FakeWeb(script, address);
let http: Server | undefined;
const heard: string[] = [];

const own = createSocket({ type: 'udp4', reuseAddr: true });
const other = createSocket('udp4');
if (!address.includes(':')) {
  const group = createSocket({ type: 'udp4', reuseAddr: true });
  group.bind(1900, GROUP, () => group.addMembership(GROUP, address));
  group.on('message', (text, from) => hear('group', text.toString(), from));
  own.bind(1900, address);
  own.on('message', (text, from) => hear('unicast', text.toString(), from));
  other.bind(0, address);
}

function hear(way: 'group' | 'unicast', text: string, from: { address: string; port: number }): void {
  const { hears = 'both', delayMs = 0, fromOtherPort = false } = script.ssdp ?? {};
  if (!text.startsWith('M-SEARCH') || from.address === address) return;
  const target = /^ST: *(.*?)\r?$/im.exec(text)?.[1] ?? '';
  heard.push(`${way} ${target}`);
  if (hears !== 'both' && hears !== way) return;
  const packets = answersTo(target);
  setTimeout(() => {
    for (const packet of packets) (fromOtherPort ? other : own).send(packet, from.port, from.address);
  }, delayMs);
}

function answersTo(target: string): readonly string[] {
  const { ssdp = {}, services = [CONNECTION], http: { port = 5000 } = {} } = script;
  if (!(ssdp.targets ?? [IGD_DEVICE, ...services]).includes(target)) return [];
  const locations = ssdp.locations ?? [`http://${address}:${port}/rootDesc.xml`];
  const answers = locations.map((location) => answerText(target, location, script.bootId ?? bootId));
  return [...(ssdp.noise ?? []), ...answers];
}

function announce(kind: 'alive' | 'byebye'): void {
  own.setMulticastInterface(address);
  own.send(notifyText(kind, `http://${address}:5000/rootDesc.xml`, bootId), 1900, GROUP);
}

function serve(): Promise<void> {
  http?.close();
  const server = createServer((socket: Socket) => web.serve(socket));
  http = server;
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(script.http?.port ?? 5000, address, resolve);
  });
}

async function obey(command: Command): Promise<unknown> {
  if ('play' in command) {
    script = command.play;
    heard.length = 0;
    web.close();
    web = new FakeWeb(script, address);
    await serve();
  }
  if ('pass' in command) web.table.pass(command.pass);
  if ('reboot' in command) {
    bootId = command.reboot;
    web.table.forget();
    if (command.announce) announce('alive');
  }
  return { heard, asked: web.asked, table: web.table.lines };
}

await serve();
createServer((socket) => {
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    text += String(chunk);
    if (!text.endsWith('\n')) return;
    obey(JSON.parse(text) as Command).then(
      (told) => socket.end(JSON.stringify(told)),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    );
  });
}).listen(4999, address);
