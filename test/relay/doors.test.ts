import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { relayPlaces } from '../../src/relay/places.ts';
import {
  mapCommands,
  NAMES_MAP,
  namesOf,
  parseShownMap,
  REFUSE_LUA,
  REFUSE_PROGRAM,
  renderDoors,
} from '../../src/relay/root/doors.ts';
import { demandPorts } from '../../src/relay/root/ports.ts';
import { renderRules } from '../../src/relay/root/rules.ts';
import type { Holding, RelayGround } from '../../src/relay/state.ts';
import { run } from '../../src/system/run.ts';

const ground: RelayGround = {
  publicKey: `${'R'.repeat(42)}E=`,
  block: '10.127.16.0/20',
  block6: 'fd12:3456:789a::/64',
  wireguardPort: 51_820,
  tlsPort: 443,
  httpPort: 80,
  mtu: 1420,
};
const holding: Holding = {
  home: 'a'.repeat(16),
  publicKey: `${'a'.repeat(42)}E=`,
  number: 2,
  names: ['pay.example.com'],
  ports: [{ protocol: 'tcp', from: 9735, to: 9735 }],
  devicesPort: 51_821,
};
const doors = (more: object = {}) =>
  renderDoors({
    addresses: ['11.1.0.2', '2b00:1::2'],
    ground,
    other: undefined,
    controlSocket: '/run/x.sock',
    ...more,
  }).text;

it('changes as few names as it can, and none that stays', () => {
  const before = parseShownMap('0x5f a.test 10.127.16.2\n0x60 b.test 10.127.16.2\n\n');
  const after = new Map([
    ['a.test', '10.127.16.2'],
    ['b.test', '10.127.16.3'],
    ['c.test', '10.127.16.3'],
  ]);
  expect(mapCommands(before, after)).toEqual([
    'del map names.map b.test',
    'add map names.map b.test 10.127.16.3',
    'add map names.map c.test 10.127.16.3',
  ]);
  expect(mapCommands(after, after)).toEqual([]);
  expect([...namesOf(ground, [holding])]).toEqual([['pay.example.com', '10.127.16.2']]);
});

it('hands other names to the web server of the machine, when there is one', () => {
  expect(doors()).toContain('use-service lua.refuse unless');
  const behind = doors({ other: '127.0.0.1:8443' });
  expect(behind).toContain('use_backend other unless { var(sess.home) -m found }');
  expect(behind).toContain('    server other 127.0.0.1:8443');
  expect(behind).not.toContain('use-service');
});

it('listens on each address, and not for plain HTTP where it is told so', () => {
  expect(doors()).toContain('    bind [2b00:1::2]:443\n');
  expect(doors({ ground: { tlsPort: 8443, httpPort: null } })).not.toContain('frontend http');
});

it('loads the table anew only when the relay itself changed, not for a home', () => {
  const none = renderRules(ground, true, []);
  const one = renderRules(ground, true, [holding]);
  expect(one.base).toBe(none.base);
  expect(one.elements).toContain('ports4 { tcp . 9735-9735 : 10.127.16.2 }');
  expect(one.elements).toContain('devices6 { 51821 : fd12:3456:789a::2 }');
  expect(none.elements).not.toContain('add element');
  expect(renderRules(ground, false, []).hash).not.toBe(none.hash);
  expect(none.base).toContain('policy drop');
});

it.each([
  ['alone', {}],
  ['before a web server', { other: '127.0.0.1:8443' }],
  ['before one with a name', { other: 'localhost:8443' }],
  ['on other ports, without plain HTTP', { ground: { tlsPort: 8443, httpPort: null } }],
])('HAProxy takes it as it is: %s', async (_how, more) => {
  const directory = await mkdtemp(join(tmpdir(), 'gw-doors-'));
  try {
    await writeFile(join(directory, 'haproxy.cfg'), doors(more));
    await writeFile(join(directory, REFUSE_LUA), REFUSE_PROGRAM);
    await writeFile(join(directory, NAMES_MAP), 'pay.example.com 10.127.16.2\n');
    const argv = ['haproxy', '-c', '-f', join(directory, 'haproxy.cfg')] as const;
    const { stdout, stderr } = await run(argv, { signal: AbortSignal.timeout(10_000) });
    expect(stdout + stderr).not.toMatch(/ALERT|WARNING/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('says what to do when a web server has the port', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { directories, paths } = relayPlaces('/nowhere');
  const nobody = { uid: 65_534, gid: 65_534 };
  const log = (): undefined => undefined;
  const environment = { directories, paths, gateway: nobody, tor: nobody, edge: nobody, log };
  const demand = (tlsPort: number, httpPort: number | null) =>
    demandPorts({ addresses: ['127.0.0.1'], tlsPort, httpPort }, environment, AbortSignal.timeout(10_000));
  try {
    await expect(demand(port, null)).rejects.toMatchObject({
      code: 'PortInUse',
      hint: expect.stringContaining('--else 127.0.0.1:8443'),
    });
    await expect(demand(1, port)).rejects.toMatchObject({ hint: expect.stringContaining('--http-port 0') });
    await demand(1, null);
  } finally {
    server.close();
  }
});
