import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NOTHING_UPLOADED } from '../../src/core/descriptor.ts';
import type { TorPort } from '../../src/core/ports.ts';
import { createTorPort } from '../../src/system/tor.ts';

/** Sockets that misbehave as no real tor does on demand; test/lab/tor.test.ts has the real one. */
const ADDRESS = '2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid';
let directory: string;
let port: TorPort;
const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tor-'));
  port = createTorPort({ controlSocket: join(directory, 'control'), socksSocket: join(directory, 'socks') });
});
afterEach(async () => {
  await port.close();
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  await rm(directory, { recursive: true });
});

async function serve(name: string, answer: (data: string, socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', (data) => answer(data.toString('latin1'), socket));
    socket.on('error', () => undefined);
  });
  servers.push(server);
  server.listen(join(directory, name));
  await once(server, 'listening');
  return server;
}

const soon = (): AbortSignal => AbortSignal.timeout(5000);

it('says TorUnavailable when there is no tor', async () => {
  await expect(port.command('GETINFO version', soon())).rejects.toMatchObject({ code: 'TorUnavailable' });
  await expect(port.visit('x.onion', 80, soon())).rejects.toMatchObject({ code: 'TorUnavailable' });
});

it('keeps replies and commands in step, and remembers uploads until the connection ends', async () => {
  await serve('control', (data, socket) => {
    for (const line of data.split('\r\n').filter((each) => each !== '')) {
      const event = `650 HS_DESC UPLOADED ${ADDRESS} UNKNOWN $AA~relay\r\n`;
      if (line === 'QUIT') socket.end();
      else
        socket.write(
          line.startsWith('GETINFO') ? `${event}250-${line.slice(8)}=x\r\n250 OK\r\n` : '250 OK\r\n',
        );
    }
  });
  const replies = await Promise.all(['a', 'b', 'c'].map((key) => port.command(`GETINFO ${key}`, soon())));
  expect(replies.map(([line]) => line)).toEqual(['a=x', 'b=x', 'c=x']);
  expect(port.uploads(ADDRESS).wasVisited).toBe(true);
  await expect(port.command('QUIT', soon())).rejects.toMatchObject({ code: 'TorUnavailable' });
  expect(port.uploads(ADDRESS)).toEqual(NOTHING_UPLOADED);
  expect(await port.command('GETINFO again', soon())).toEqual(['again=x', 'OK']);
});

it('ends at once when it is cancelled, and the late reply is nobody else’s', async () => {
  const late: (() => void)[] = [];
  await serve('control', (data, socket) => {
    for (const line of data.split('\r\n').filter((each) => each !== '')) {
      const reply = (): void => void socket.write(`250-${line}=1\r\n250 OK\r\n`);
      if (line.includes('slow') || late.length > 0) late.push(reply);
      else reply();
    }
  });
  await port.command('GETINFO first', soon());
  await expect(port.command('GETINFO slow', AbortSignal.timeout(50))).rejects.toMatchObject({
    code: 'Aborted',
  });
  const next = port.command('GETINFO next', soon());
  setTimeout(() => late.splice(0).forEach((reply) => reply()), 50);
  expect((await next)[0]).toBe('GETINFO next=1');
});

it('throws only GatewayError at a peer that does not speak tor', async () => {
  await serve('control', (_data, socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await serve('socks', (_data, socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await expect(port.command('GETINFO version', soon())).rejects.toMatchObject({ code: 'TorControl' });
  await expect(port.visit('x.onion', 80, soon())).rejects.toMatchObject({ code: 'TorUnavailable' });
});

it('sends no second command inside one', async () => {
  await expect(port.command('GETINFO a\r\nSIGNAL HALT', soon())).rejects.toMatchObject({
    code: 'InvalidRequest',
  });
});

it('tells a visit that was cancelled from one that took too long', async () => {
  await serve('socks', () => undefined);
  const cancel = new AbortController();
  setTimeout(() => cancel.abort(), 50);
  await expect(port.visit('x.onion', 80, cancel.signal)).rejects.toMatchObject({ code: 'Aborted' });
  await expect(port.visit('x.onion', 80, AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'Timeout' });
});

it('visits over the unix socket with credentials of its own each time, and asks tor to resolve the name', async () => {
  const credentials: string[] = [];
  const targets: string[] = [];
  await serve('socks', (data, socket) => {
    if (data.startsWith('\x05') && data.charCodeAt(1) <= 2 && data.length < 5) socket.write('\x05\x02');
    else if (data.startsWith('\x01')) {
      credentials.push(data);
      socket.write('\x01\x00');
    } else {
      targets.push(data.slice(5, -2));
      socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    }
  });
  expect(await port.visit('example.onion', 80, soon())).toBeGreaterThan(0);
  await port.visit('example.onion', 80, soon());
  expect(targets).toEqual(['example.onion', 'example.onion']);
  expect(new Set(credentials).size).toBe(2);
});

it('tells once that tor was lost, and nothing of a tor that was never there', async () => {
  let told = 0;
  const watched = createTorPort({
    controlSocket: join(directory, 'control'),
    socksSocket: join(directory, 'socks'),
    lost: () => (told += 1),
  });
  await expect(watched.command('GETINFO version', soon())).rejects.toThrow();
  expect(told).toBe(0);
  await serve(
    'control',
    (data, socket) => void (data.startsWith('QUIT') ? socket.end() : socket.write('250 OK\r\n')),
  );
  for (let round = 0; round < 2; round += 1) {
    await watched.command('GETINFO version', soon());
    await expect(watched.command('QUIT', soon())).rejects.toMatchObject({ code: 'TorUnavailable' });
  }
  expect(told).toBe(1);
  await watched.close();
});
