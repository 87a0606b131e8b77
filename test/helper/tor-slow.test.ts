import { once } from 'node:events';
import { readFile, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { onionAddress } from '../../src/wire/onion.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine, until } from '../support/machine.ts';

/** A real tor under a real helper, on a machine that makes it wait at the worst moment. */
let machine: Machine;
let gateway: Gateway;
const paths = pathsOf(directoriesIn('/run/gw-root'));
const defaults = `${paths.torState}/torrc-defaults`;
const targets = { shop: '10.64.0.16', blog: '10.64.0.17' } as const;
type Name = keyof typeof targets;

const spec = (service: Name) => ({
  service,
  virtualPort: 80,
  target: { host: targets[service], port: 8080 },
  proofOfWork: false,
});
async function writeOnion(service: Name): Promise<void> {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const publicKey = nodeCrypto.ed25519Public(secret);
  const keys = {
    secretKey: Buffer.from(secret).toString('base64'),
    publicKey: Buffer.from(publicKey).toString('base64'),
    hostname: `${onionAddress(publicKey, nodeCrypto.sha3_256)}.onion`,
  };
  await gateway.call('tor.writeOnion', { instance: 'tor', onion: { ...spec(service), ...keys } });
}
const write = (...services: Name[]) =>
  gateway.call('tor.write', {
    instance: 'tor',
    torrc: { source: gateway.network.tor, pool: gateway.network.pool, onions: services.map(spec) },
  });
const observe = () => gateway.helper.call('tor.observe', { instance: 'tor' }, AbortSignal.timeout(15_000));
const load = () => gateway.helper.call('tor.load', { instance: 'tor' }, AbortSignal.timeout(40_000));
const torPid = async (): Promise<number> => Number(await readFile(machine.outside(paths.torPid), 'utf8'));
const kill = (signal: string, pid: number) => machine.sh('kill', `-${signal}`, String(pid));

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  const services = Object.entries(targets).map(([name, address]) => {
    return [name, { address, port: 8080, place: { type: 'namespace' as const, name } }] as const;
  });
  await gateway.apply({ services: Object.fromEntries(services) });
  await writeOnion('shop');
  await writeOnion('blog');
  await write('shop');
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

it('waits for a tor that runs and does not listen yet, and starts no second one', async () => {
  // tor reads this file before it listens, and a pipe has no end before somebody has written.
  await machine.sh('rm', defaults);
  await machine.sh('mkfifo', defaults);
  await machine.sh('chown', 'gateway-tor', defaults);
  const cut = load().catch(() => undefined);
  const starting = await until(async () => {
    const found = await machine.sh('pgrep', '-x', 'tor').catch(() => '');
    return found === '' ? undefined : Number(found);
  });
  await gateway.kill();
  await cut;
  await gateway.restart();
  expect(await observe()).toMatchObject({ running: false, trouble: `process ${starting} is starting` });
  const loaded = load();
  await machine.sh('sh', '-c', `: > ${defaults}`);
  expect(await loaded).toEqual({ started: false, left: [] });
  expect(await torPid()).toBe(starting);
  expect(await observe()).toMatchObject({ running: true });
  await machine.sh('rm', defaults);
}, 60_000);

/** Stands between helper and tor, and stops tor when it is given a torrc. */
async function stopAtTorrc(pid: number): Promise<Server> {
  const [socket, aside] = [paths.torControl, `${paths.torControl}.aside`].map((path) =>
    machine.outside(path),
  );
  await rename(socket ?? '', aside ?? '');
  const server = createServer((client) => {
    const tor = connect(aside ?? '');
    client.on('data', (chunk) => {
      const isTorrc = chunk.includes('+LOADCONF');
      const pass = (): void => void tor.write(chunk);
      if (isTorrc) kill('STOP', pid).then(pass, (error: Error) => client.destroy(error));
      else pass();
    });
    tor.on('data', (chunk) => client.write(chunk));
    for (const end of [client, tor]) {
      end.on('error', () => undefined);
      end.on('close', () => [client, tor].map((each) => each.destroy()));
    }
  });
  server.listen(socket);
  await once(server, 'listening');
  return server;
}

it('keeps a tor that is too slow to take a new torrc, and gives it again', async () => {
  const pid = await torPid();
  const server = await stopAtTorrc(pid);
  const real = machine.outside(paths.torControl);
  try {
    await write('shop', 'blog');
    await expect(load()).rejects.toMatchObject({ code: 'TorUnavailable' });
    expect(await torPid()).toBe(pid);
  } finally {
    server.close();
    await rm(real, { force: true });
    await rename(`${real}.aside`, real);
    await kill('CONT', pid);
  }
  expect(await load()).toEqual({ started: false, left: [] });
  expect(await torPid()).toBe(pid);
  const { torrcHash, loadedHash } = await observe();
  expect(loadedHash).toBe(torrcHash);
}, 60_000);
