import { readFile, stat } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { deviceBlock } from '../../src/core/allocate.ts';
import type { EdgeRoute } from '../../src/core/operations.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine, until } from '../support/machine.ts';
import { dial, serve, talk } from '../support/traffic.ts';

/** A real HAProxy under a real helper, a hub, a machine of the LAN, and a device behind a link called like WireGuard's. */
let machine: Machine;
let gateway: Gateway;
const paths = pathsOf(directoriesIn('/run/gw-root'));
const DEVICE = '10.64.8.2';
const LAN = '192.168.1.20';

const route = (service: string, address: string, port: number): EdgeRoute => ({
  service,
  address,
  port,
  to: { host: LAN, port },
});
const PRINTER = route('printer', '10.64.1.4', 631);
const CAMERA = route('camera', '10.64.1.5', 443);
const ROUTES = [PRINTER, CAMERA];

const write = (...routes: EdgeRoute[]) => {
  const { pool, edge: source } = gateway.network;
  return gateway.call('edge.write', {
    edge: { devices: deviceBlock(pool), source, pool, routes, sites: [] },
  });
};
const call = (name: 'edge.observe' | 'edge.load' | 'edge.stop') =>
  gateway.helper.call(name, {}, AbortSignal.timeout(30_000));
const observe = () => gateway.helper.call('edge.observe', {}, AbortSignal.timeout(15_000));
const load = () => gateway.helper.call('edge.load', {}, AbortSignal.timeout(30_000));
const up = async (...routes: EdgeRoute[]) => {
  await write(...routes);
  return load();
};
const masterPid = async (): Promise<string> =>
  (await readFile(machine.outside(paths.edgePid), 'utf8')).trim();
/** Without those that ended: nobody in the machine collects them. */
const pids = async (): Promise<string[]> => {
  const processes = (await machine.sh('ps', 'axo', 'stat=,comm=,pid=')).split('\n');
  return processes.flatMap((line) => /^[^Z]\S* +haproxy +(\d+)/.exec(line)?.[1] ?? []);
};
const byDevice = ({ address, port }: EdgeRoute): Promise<string> =>
  dial(machine, 'phone', { host: address, port });

async function ip(...lines: string[]): Promise<void> {
  for (const line of lines) await machine.sh('ip', ...line.split(' '));
}

/** Stands in for the WireGuard interface. */
async function plugDevice(): Promise<void> {
  await ip(
    '-n gw-hub link add gwwg0 type veth peer name eth0 netns phone',
    '-n gw-hub addr add 10.64.8.1/32 dev gwwg0',
    '-n gw-hub link set gwwg0 up',
    `-n gw-hub route add ${DEVICE} dev gwwg0`,
    `-n phone addr add ${DEVICE}/32 dev eth0`,
    '-n phone link set eth0 up',
    '-n phone route add 10.64.8.1 dev eth0',
    '-n phone route add default via 10.64.8.1',
  );
}

async function openHub(): Promise<void> {
  await gateway.call('hub.ensure', {});
  for (const { service, address } of ROUTES) {
    await gateway.call('hostService.ensure', { service, spec: { address } });
  }
  await plugDevice();
  const flows = ROUTES.map(({ address, port }) => ({ via: 'gwwg0', source: DEVICE, address, port }));
  await gateway.call('flows.replace', {
    flows: flows.map((flow) => ({ ...flow, protocol: 'tcp' as const })),
  });
}

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  const services = ROUTES.map(({ service, address, port }) => [
    service,
    { address, port, place: { type: 'target' as const, host: LAN } },
  ]);
  await gateway.apply({
    services: Object.fromEntries(services) as Record<string, never>,
    devices: [{ publicKey: 'unused', address: DEVICE, services: ROUTES.map(({ service }) => service) }],
  });
  await ip(
    'netns add lan',
    'netns add phone',
    'link add lan0 type veth peer name eth0 netns lan',
    'addr add 192.168.1.1/24 dev lan0',
    'link set lan0 up',
    `-n lan addr add ${LAN}/24 dev eth0`,
    '-n lan link set eth0 up',
    '-n lan link set lo up',
    '-n lan route add 10.64.0.0/20 via 192.168.1.1',
  );
  await openHub();
  for (const { service, port } of ROUTES) await serve(machine, 'lan', service, port);
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});
beforeEach(async () => {
  await call('edge.stop');
});

it('carries a device on to another machine, which sees the host, as a user of its own that can only bind low ports', async () => {
  expect(await up(...ROUTES)).toEqual({ started: true, left: [] });
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
  expect(await byDevice(CAMERA)).toBe('camera sees 192.168.1.1');
  const seen = await observe();
  expect(seen).toMatchObject({ running: true, left: [], edge: { routes: ROUTES } });
  expect(seen.loadedHash).toBe(seen.configHash);
  const uid = process.getuid?.() === 0 ? '972' : '0';
  for (const pid of await pids()) {
    const status = await machine.sh('cat', `/proc/${pid}/status`);
    expect(status).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}`, 'm'));
    expect(status).toMatch(/^CapBnd:\s+0+400$/m);
    expect(status).toMatch(/^CapEff:\s+0+400$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
  }
  expect((await stat(machine.outside(paths.edgeRun))).mode & 0o777).toBe(0o700);
  expect((await stat(machine.outside(paths.edgeSocket))).mode & 0o777).toBe(0o600);
});

it('lets nobody in but devices: no machine of the LAN, and not the host itself', async () => {
  await up(...ROUTES);
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
  expect(await dial(machine, 'lan', { host: PRINTER.address, port: PRINTER.port })).toBe('nothing');
  expect(await dial(machine, undefined, { host: PRINTER.address, port: PRINTER.port })).toBe('nothing');
});

it('takes a change without losing a connection', async () => {
  await up(PRINTER);
  const pid = await masterPid();
  const lasting = talk(machine, { host: PRINTER.address, port: PRINTER.port }, 'phone');
  expect(await lasting.next()).toBe('alive');
  expect(await up(...ROUTES)).toEqual({ started: false, left: [] });
  expect(await masterPid()).toBe(pid);
  expect(await byDevice(CAMERA)).toBe('camera sees 192.168.1.1');
  expect(await lasting.next()).toBe('alive');
  await up(CAMERA);
  expect(await byDevice(PRINTER)).toBe('nothing');
  expect(await lasting.next()).toBe('alive');
});

it('says that what it wrote is not loaded yet, when it is cut short in between', async () => {
  await up(PRINTER);
  await write(...ROUTES);
  const between = await observe();
  expect(between.loadedHash).not.toBe(between.configHash);
  await load();
  const after = await observe();
  expect(after.loadedHash).toBe(after.configHash);
});

it('goes on when the helper is killed, and is found again', async () => {
  await up(...ROUTES);
  const before = await pids();
  await gateway.kill();
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
  await gateway.restart();
  expect(await observe()).toMatchObject({ running: true, edge: { routes: ROUTES } });
  expect(await up(...ROUTES)).toEqual({ started: false, left: [] });
  expect(await pids()).toEqual(before);
});

it.each(['every process', 'the master alone'])('is started again after kill -9 of %s', async (what) => {
  await up(...ROUTES);
  await machine.sh('kill', '-KILL', ...(what === 'every process' ? await pids() : [await masterPid()]));
  await until(async () => ((await observe()).running ? undefined : true));
  expect(await load()).toEqual({ started: true, left: [] });
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
});

it('is not called running when it hangs, and is replaced', async () => {
  await up(...ROUTES);
  const before = await masterPid();
  await machine.sh('kill', '-STOP', ...(await pids()));
  // On a busy machine one of its threads still answers before the others are told.
  const states = (): Promise<string> => machine.sh('ps', '-LC', 'haproxy', '-o', 'stat=');
  await until(async () => !/^[^TZ]/m.test(await states()) || undefined);
  expect(await observe()).toMatchObject({ running: false, trouble: expect.stringMatching(/not answer/) });
  expect(await load()).toMatchObject({ started: true });
  expect(await masterPid()).not.toBe(before);
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
});

it('leaves out a route whose port another program has, names it, and serves the others', async () => {
  await serve(machine, undefined, 'rival', CAMERA.port);
  const { left } = await up(...ROUTES);
  expect(left).toEqual([
    {
      service: 'camera',
      reason: expect.stringMatching(/^port 443 is taken .*\(process \d+\), which listens on 0\.0\.0\.0$/),
    },
  ]);
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
  expect((await observe()).left).toEqual(left);
  await machine.sh('pkill', '-f', `rival ${CAMERA.port}`);
  expect(await up(...ROUTES)).toEqual({ started: false, left: [] });
  expect(await byDevice(CAMERA)).toBe('camera sees 192.168.1.1');
});

it('keeps the old configuration when HAProxy does not accept the new one', async () => {
  await up(PRINTER);
  const file = machine.outside(`${paths.edgeState}/haproxy.cfg`);
  const before = await readFile(file, 'utf8');
  await expect(write(PRINTER, PRINTER)).rejects.toMatchObject({
    code: 'EdgeUnavailable',
    message: expect.stringMatching(/printer/),
  });
  expect(await readFile(file, 'utf8')).toBe(before);
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
});

it('serves again by itself when the hub was made anew', async () => {
  await up(...ROUTES);
  await gateway.call('hub.remove', {});
  await openHub();
  expect(await byDevice(PRINTER)).toBe('printer sees 192.168.1.1');
  expect(await load()).toEqual({ started: false, left: [] });
});

it('leaves nothing behind, and stopping twice is fine', async () => {
  await up(...ROUTES);
  await call('edge.stop');
  await call('edge.stop');
  expect(await pids()).toEqual([]);
  expect(await observe()).toEqual({ running: false, left: [], taken: [], clients: [], certificates: [] });
});
