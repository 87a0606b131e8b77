import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Machine } from './machine.ts';

const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');

/** Answers each connection with its name and whom it sees, and keeps it open; echoes what comes. */
export const SERVER = `
const [name, port, host = '0.0.0.0'] = process.argv.slice(1);
require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.write(name + ' sees ' + socket.remoteAddress.replace('::ffff:', ''));
  socket.pipe(socket);
}).listen({ port: Number(port), host }, () => console.log('ready'));
`;

const CLIENT = `
const [from, host, port, fromPort] = process.argv.slice(1);
const local = from === '' ? {} : { localAddress: from, localPort: Number(fromPort) };
const socket = require('node:net').connect({ host, port: Number(port), ...local });
const end = (text) => { console.log(text); process.exit(); };
setTimeout(end, 700, 'nothing');
socket.on('data', (data) => end(data.toString()));
socket.on('error', () => end('nothing'));
`;

/** Prints one line for each second echo; \`silence\` once an echo stays out. */
const LASTING = `
const [from, host, port, fromPort] = process.argv.slice(1);
const local = from === '' ? {} : { localAddress: from, localPort: Number(fromPort) };
const socket = require('node:net').connect({ host, port: Number(port), ...local });
let heard = 0, silent = 0;
socket.on('data', () => { heard++; silent = 0; console.log('alive'); });
socket.on('error', () => console.log('silence'));
setInterval(() => { socket.write('x'); if (++silent > 8) console.log('silence'); }, 50);
`;

function within(netns: string | undefined): readonly [string, ...string[]] | readonly [] {
  return netns === undefined ? [] : ['nsenter', `--net=/run/netns/${netns}`];
}

export async function serve(
  machine: Machine,
  netns: string | undefined,
  name: string,
  port: number,
  host = '0.0.0.0',
): Promise<void> {
  const server = machine.start(...argv(within(netns), SERVER, name, String(port), host));
  await once(server.stdout ?? server, 'data');
}

/** What a connection hears at once: `shop sees 10.64.0.3`, or `nothing`. */
export async function dial(machine: Machine, netns: string | undefined, to: Way): Promise<string> {
  return machine.sh(...argv(within(netns), CLIENT, ...words(to)));
}

export interface Lasting {
  /** The last thing it said: `alive` or `silence`. */
  next(): Promise<string>;
}

/** A connection that stays open and talks every 50 ms. */
export function talk(machine: Machine, to: Way, netns?: string): Lasting {
  const client: ChildProcess = machine.start(...argv(within(netns), LASTING, ...words(to)));
  return {
    next: async () => {
      const [said] = (await once(client.stdout ?? client, 'data')) as [Buffer];
      return said.toString().trim().split('\n').at(-1) ?? '';
    },
  };
}

/** From which address and port, by default of the kernel's choice, to where. */
export interface Way {
  readonly from?: string;
  readonly fromPort?: number;
  readonly host: string;
  readonly port: number;
}

function words({ from = '', fromPort = 0, host, port }: Way): string[] {
  return [from, host, String(port), String(fromPort)];
}

function argv(prefix: readonly string[], script: string, ...rest: string[]): [string, ...string[]] {
  const [first, ...others] = [...prefix, NODE, '-e', script, ...rest];
  return [first ?? NODE, ...others];
}
