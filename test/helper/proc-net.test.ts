import { once } from 'node:events';
import { createServer } from 'node:net';
import { readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  listenersSeenBy,
  parseTable,
  parseUnixTable,
  processesByNamespace,
} from '../../src/helper/proc-net.ts';

/** As kernel 6.18 prints them; the last of each is a connection. */
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9174768 1 0 100 0 0 10 0
   1: 0201400A:1F90 0300400A:C350 01 00000000:00000000 00:00000000 00000000     0        0 9174770 1 0 20 4 30 10 -1
`;
const TCP6 = `  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0052 00000000000000000000000000000000:0000 0A
   1: 0000000000000000FFFF00000100007F:0053 00000000000000000000000000000000:0000 0A
   2: B80D0120000000000000000001000000:0054 00000000000000000000000000000000:0000 0A
`;

it('reads the kernel tables', () => {
  expect(parseTable(TCP)).toEqual([{ address: '127.0.0.1', port: 81 }]);
  expect(parseTable(TCP6)).toEqual([
    { address: '::', port: 82 },
    { address: '127.0.0.1', port: 83 },
    { address: '2001:db8::1', port: 84 },
  ]);
  expect(parseTable('')).toEqual([]);
});

it('reads the table of unix sockets, and counts those that are connected', () => {
  const text = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 200 /run/gateway/onions/tor/shop
0000000000000000: 00000003 00000000 00000000 0001 03 201 /run/gateway/onions/tor/shop.77.tmp
0000000000000000: 00000003 00000000 00000000 0001 03 202
`;
  expect(parseUnixTable(text)).toEqual(['/run/gateway/onions/tor/shop.77.tmp']);
});

it('finds what listens where we are, and nothing of processes that have ended', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const number = readlinkSync('/proc/self/ns/net').slice('net:['.length, -1);
  const pids = processesByNamespace().get(number) ?? [];
  expect(pids).toContain(String(process.pid));
  expect(listenersSeenBy(['4194304', ...pids])).toContainEqual({ address: '127.0.0.1', port });
  expect(listenersSeenBy(['4194304'])).toBeUndefined();
  server.close();
});
