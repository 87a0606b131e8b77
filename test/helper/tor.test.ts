import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { OnionFiles } from '../../src/core/operations.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { createTorPort } from '../../src/system/tor.ts';
import { onionAddress } from '../../src/wire/onion.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine, until } from '../support/machine.ts';

/** A real tor under a real helper; without a network, it verifies, starts, loads and answers all the same. */
let machine: Machine;
let gateway: Gateway;
const directories = directoriesIn('/run/gw-root');
const paths = pathsOf(directories);
const torrcFile = (): string => machine.outside(`${paths.torState}/torrc`);
const onionFile = (service: string, name: string): string =>
  machine.outside(`${paths.torState}/onions/${service}/${name}`);

const ADDRESSES: Readonly<Record<string, string>> = {
  shop: '10.64.0.16',
  blog: '10.64.0.17',
  forum: '10.64.0.18',
};
const KEYS = new Map(Object.keys(ADDRESSES).map((service) => [service, nodeCrypto.ed25519ExpandedSecret()]));

function onion(service: string): OnionFiles {
  const secret = KEYS.get(service) ?? nodeCrypto.ed25519ExpandedSecret();
  const publicKey = nodeCrypto.ed25519Public(secret);
  return {
    ...spec(service),
    secretKey: Buffer.from(secret).toString('base64'),
    publicKey: Buffer.from(publicKey).toString('base64'),
    hostname: `${onionAddress(publicKey, nodeCrypto.sha3_256)}.onion`,
  };
}

function spec(service: string) {
  const target = { host: ADDRESSES[service] ?? '', port: 8080 };
  return { service, virtualPort: 80, target, proofOfWork: true };
}

const write = (...services: string[]) =>
  gateway.call('tor.write', {
    instance: 'tor',
    torrc: { source: gateway.network.tor, pool: gateway.network.pool, onions: services.map(spec) },
  });
const observe = () => gateway.helper.call('tor.observe', { instance: 'tor' }, AbortSignal.timeout(15_000));
const load = () => gateway.helper.call('tor.load', { instance: 'tor' }, AbortSignal.timeout(30_000));
const stop = () => gateway.helper.call('tor.stop', { instance: 'tor' }, AbortSignal.timeout(15_000));
const publish = async (...services: string[]): Promise<void> => {
  for (const service of services)
    await gateway.call('tor.writeOnion', { instance: 'tor', onion: onion(service) });
  await write(...services);
  await load();
};
const torPid = async (): Promise<number> => Number(await readFile(machine.outside(paths.torPid), 'utf8'));
const kill = (signal: string, pid: number) => machine.sh('kill', `-${signal}`, String(pid));
const ownLines = async (text: string): Promise<void> => {
  const directory = machine.outside(`${directories.config}/torrc.d`);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  await writeFile(`${directory}/own.conf`, text);
};

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  const services = Object.fromEntries(
    Object.entries(ADDRESSES).map(([name, address]) => [
      name,
      { address, port: 8080, place: { type: 'namespace' as const, name } },
    ]),
  );
  await gateway.apply({ services });
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});
beforeEach(async () => {
  await stop();
  for (const service of Object.keys(ADDRESSES))
    await gateway.call('tor.removeOnion', { instance: 'tor', service });
  await ownLines('');
});

it('starts tor as its own user with the onions that were asked for, and reports what tor says', async () => {
  await publish('shop', 'blog');
  const seen = await observe();
  expect(seen).toMatchObject({ running: true, left: [], torrc: { onions: [spec('shop'), spec('blog')] } });
  expect(seen.loadedHash).toBe(seen.torrcHash);
  expect(seen.onions.map(({ service, hostname }) => [service, hostname])).toEqual([
    ['blog', onion('blog').hostname],
    ['shop', onion('shop').hostname],
  ]);
  const status = await machine.sh('cat', `/proc/${await torPid()}/status`);
  const uid = process.getuid?.() === 0 ? '971' : '0';
  expect(status).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}`, 'm'));
  expect(status).toMatch(/^CapBnd:\s+0+$/m);
  expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
});

it('derives the public key and the address that tor itself derives from a secret key', async () => {
  await publish('shop');
  await stop();
  await gateway.call('tor.writeOnion', { instance: 'tor', onion: onion('shop') });
  // tor makes both files anew from the secret key alone.
  await rm(onionFile('shop', 'hs_ed25519_public_key'));
  await rm(onionFile('shop', 'hostname'));
  const torrc = `DataDirectory ${paths.torState}/data
PidFile ${paths.torState}/data/bare.pid
SocksPort 0
HiddenServiceDir ${paths.torState}/onions/shop
HiddenServicePort 80
`;
  await writeFile(machine.outside('/run/bare.torrc'), torrc);
  const user = process.getuid?.() === 0 ? '971' : '0';
  const other = machine.start(
    ...(['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'] as const),
    ...(['tor', '-f', '/run/bare.torrc', '--defaults-torrc', '/run/bare.torrc'] as const),
  );
  const ended = once(other, 'exit');
  await until(() => readFile(onionFile('shop', 'hostname')).catch(() => undefined));
  await kill('KILL', Number(await readFile(machine.outside(`${paths.torState}/data/bare.pid`), 'utf8')));
  await ended;
  expect(await readFile(onionFile('shop', 'hostname'), 'utf8')).toBe(`${onion('shop').hostname}\n`);
  const publicFile = await readFile(onionFile('shop', 'hs_ed25519_public_key'));
  expect(publicFile.subarray(32).toString('base64')).toBe(onion('shop').publicKey);
});

it('takes a change into the running process, which goes on', async () => {
  await publish('shop');
  const pid = await torPid();
  await publish('shop', 'blog');
  expect(await torPid()).toBe(pid);
  await write('blog');
  expect(await load()).toEqual({ started: false, left: [] });
  expect(await torPid()).toBe(pid);
  expect((await observe()).torrc?.onions).toEqual([spec('blog')]);
});

it('gives tor the proof-of-work defence and the limit of streams, and takes the defence away while it runs', async () => {
  const port = createTorPort({
    controlSocket: machine.outside(paths.torControl),
    socksSocket: machine.outside(paths.torSocks),
  });
  const options = () => port.command('GETCONF HiddenServiceOptions', AbortSignal.timeout(5000));
  await publish('shop');
  const pid = await torPid();
  expect(await options()).toEqual(
    expect.arrayContaining(['HiddenServicePoWDefensesEnabled=1', 'HiddenServiceMaxStreams=256']),
  );
  const off = { ...spec('shop'), proofOfWork: false };
  const { network } = gateway;
  await gateway.call('tor.write', {
    instance: 'tor',
    torrc: { source: network.tor, pool: network.pool, onions: [off] },
  });
  await load();
  expect(await options()).toContain('HiddenServiceEnableIntroDoSDefense=1');
  expect(await options()).not.toContain('HiddenServicePoWDefensesEnabled=1');
  expect(await torPid()).toBe(pid);
  await port.close();
});

it('writes no option of a defence that the tor of this machine was built without', async () => {
  const real = await machine.sh('sh', '-c', 'command -v tor');
  const program = machine.outside('/run/bin/tor');
  await mkdir(machine.outside('/run/bin'), { recursive: true });
  const script = `#!/bin/sh\n[ "$1" = --list-modules ] && echo 'pow: no' && exit\nexec ${real} "$@"\n`;
  await writeFile(program, script, { mode: 0o755 });
  try {
    await publish('shop');
    expect(await readFile(torrcFile(), 'utf8')).not.toContain('PoW');
  } finally {
    await rm(program);
  }
  expect((await observe()).torrc).toBeUndefined();
});

it('says that what it wrote is not loaded yet, when it is cut short in between', async () => {
  await publish('shop');
  await gateway.call('tor.writeOnion', { instance: 'tor', onion: onion('blog') });
  await write('shop', 'blog');
  const between = await observe();
  expect(between.loadedHash).not.toBe(between.torrcHash);
  await load();
  const after = await observe();
  expect(after.loadedHash).toBe(after.torrcHash);
});

it('leaves tor running when the helper is killed, and finds it again', async () => {
  await publish('shop');
  const pid = await torPid();
  await gateway.kill();
  await gateway.restart();
  expect(await observe()).toMatchObject({ running: true });
  expect(await load()).toEqual({ started: false, left: [] });
  expect(await torPid()).toBe(pid);
  await rm(machine.outside(paths.torPid));
  expect(await observe()).toMatchObject({ running: true });
});

it('says that tor does not run after kill -9, and starts it again with the same onions', async () => {
  await publish('shop');
  const before = await torPid();
  await kill('KILL', before);
  expect(await observe()).toMatchObject({ running: false });
  expect(await until(() => load().catch(() => undefined))).toEqual({ started: true, left: [] });
  expect(await torPid()).not.toBe(before);
  expect(await observe()).toMatchObject({ running: true, onions: [{ hostname: onion('shop').hostname }] });
});

it('knows the version that the next start would run, also when the program is replaced', async () => {
  expect((await observe()).installed).toMatch(/^\d+\.\d+\.\d+\.\d+/);
  const program = machine.outside('/run/bin/tor');
  await mkdir(machine.outside('/run/bin'), { recursive: true });
  await writeFile(program, '#!/bin/sh\necho "Tor version 0.4.7.16."\n', { mode: 0o755 });
  try {
    expect((await observe()).installed).toBe('0.4.7.16');
  } finally {
    await rm(program);
  }
});

it('ends a hung tor after a bounded time and starts it again, and says meanwhile what it waits for', async () => {
  await publish('shop');
  const before = await torPid();
  await kill('STOP', before);
  const since = Date.now();
  expect(await observe()).toMatchObject({
    running: false,
    silentForMs: expect.any(Number),
    trouble: expect.stringMatching(/has not answered for 3 s, asked 1 time; once .* started again/),
  });
  await expect(load()).rejects.toMatchObject({
    code: 'TorUnavailable',
    message: expect.stringMatching(/is silent/),
  });
  expect(await torPid()).toBe(before);
  const started = await until(() => load().catch(() => undefined));
  expect(started).toMatchObject({ started: true });
  expect(Date.now() - since).toBeLessThan(30_000);
  expect(await torPid()).not.toBe(before);
  expect(await observe()).toMatchObject({ running: true, onions: [{ hostname: onion('shop').hostname }] });
}, 60_000);

it('leaves a tor alone that was only slow', async () => {
  await publish('shop');
  const before = await torPid();
  await kill('STOP', before);
  await expect(load()).rejects.toMatchObject({ code: 'TorUnavailable' });
  await observe();
  await kill('CONT', before);
  expect(await observe()).toMatchObject({ running: true });
  expect(await load()).toEqual({ started: false, left: [] });
  expect(await torPid()).toBe(before);
}, 60_000);

it('finds a tor again whose start was cut short before it was tor, and starts no second one', async () => {
  const real = await machine.sh('sh', '-c', 'command -v tor');
  const program = machine.outside('/run/bin/tor');
  const gate = machine.outside('/run/may-start');
  await mkdir(machine.outside('/run/bin'), { recursive: true });
  // A machine that is so busy that it gets no further for a while.
  const wait = `case "$*" in *torrc-defaults) while [ ! -e /run/may-start ]; do sleep 0.05; done;; esac`;
  await writeFile(program, `#!/bin/sh\n${wait}\nexec ${real} "$@"\n`, { mode: 0o755 });
  try {
    await gateway.call('tor.writeOnion', { instance: 'tor', onion: onion('shop') });
    await writeFile(gate, '');
    await write('shop');
    await rm(gate);
    const cut = load().catch(() => undefined);
    const starting = await until(() => torStarting());
    await gateway.kill();
    await cut;
    await gateway.restart();
    expect(await observe()).toMatchObject({ running: false, trouble: `process ${starting} is starting` });
    const loaded = load();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await writeFile(gate, '');
    expect(await loaded).toEqual({ started: false, left: [] });
    expect(await torPid()).toBe(starting);
    expect(await observe()).toMatchObject({ running: true });
  } finally {
    await rm(program);
  }
}, 60_000);

/** Its id as soon as it, or what becomes it, is there. */
async function torStarting(): Promise<number | undefined> {
  const found = await machine.sh('pgrep', '-f', `tor -f ${paths.torState}/torrc --defaults`).catch(() => '');
  return found === '' ? undefined : Number(found.trim().split('\n')[0]);
}

it('says how tor died, when tor says it', async () => {
  await publish('shop');
  await kill('SEGV', await torPid());
  const { trouble } = await until(async () => {
    const seen = await observe();
    return seen.running ? undefined : seen;
  });
  expect(trouble).toMatch(/ended once soon after its start: Tor \S+ died: Caught signal 11/);
});

it('starts a tor that keeps ending less and less often, says so, and begins anew when its torrc changes', async () => {
  await publish('shop');
  const gone = async (): Promise<string> => {
    await kill('KILL', await torPid());
    return (await observe()).trouble ?? '';
  };
  expect(await gone()).toMatch(/ended once soon after its start$/);
  expect(await load()).toMatchObject({ started: true });
  expect(await gone()).toMatch(/ended 2 times in a row soon after its start; it is started again in 1 s/);
  await expect(load()).rejects.toMatchObject({
    code: 'TorUnavailable',
    message: expect.stringMatching(/does not stay up/),
  });
  expect(await until(() => load().catch(() => undefined))).toMatchObject({ started: true });
  expect(await gone()).toMatch(/3 times in a row soon after its start; it is started again in 2 s/);
  const killedAt = Date.now();
  expect(await until(() => load().catch(() => undefined))).toMatchObject({ started: true });
  expect(Date.now() - killedAt).toBeGreaterThan(1500);
  expect(await gone()).toMatch(/4 times .* in 5 s/);
  await gateway.call('tor.writeOnion', { instance: 'tor', onion: onion('blog') });
  await write('shop', 'blog');
  expect(await load()).toMatchObject({ started: true });
  expect(await observe()).toMatchObject({ running: true });
}, 60_000);

it.each(['hs_ed25519_secret_key', 'hs_ed25519_public_key', 'hostname'])(
  'leaves an onion with a damaged %s out, names it, and keeps the others up',
  async (name) => {
    await publish('shop', 'blog');
    await truncate(onionFile('shop', name), 17);
    expect((await observe()).onions.find(({ service }) => service === 'shop')?.damaged).toBeDefined();
    await kill('KILL', await torPid());
    const { left } = (await until(() => load().catch(() => undefined))) ?? { left: [] };
    expect(left.map(({ service }) => service)).toEqual(['shop']);
    expect((await readFile(onionFile('shop', name))).length).toBe(17);
    const torrc = await readFile(torrcFile(), 'utf8');
    expect(torrc).toContain('onions/blog');
    expect(torrc).not.toContain('onions/shop"');
    await publish('shop', 'blog');
    expect(await observe()).toMatchObject({ running: true, left: [] });
    expect(await readFile(torrcFile(), 'utf8')).toContain('onions/shop"');
  },
);

it('leaves an onion out whose key is whole but another one', async () => {
  await publish('shop', 'blog');
  await writeFile(
    onionFile('shop', 'hs_ed25519_secret_key'),
    await readFile(onionFile('blog', 'hs_ed25519_secret_key')),
  );
  expect((await load()).left).toMatchObject([{ service: 'shop' }]);
  expect(await observe()).toMatchObject({ running: true });
});

it('removes the directory of an onion only when the torrc no longer names it', async () => {
  await publish('shop', 'blog');
  await gateway.call('tor.removeOnion', { instance: 'tor', service: 'shop' });
  expect((await observe()).onions.map(({ service }) => service)).toEqual(['blog']);
  expect(await readFile(onionFile('shop', 'hostname'), 'utf8')).toContain('.onion');
  await write('blog');
  await expect(readFile(onionFile('shop', 'hostname'))).rejects.toThrow(/ENOENT/);
});

it('adds the owner’s lines, and notices when they change', async () => {
  await ownLines('# bridges\nUseEntryGuards 1\n');
  await publish('shop');
  expect(await readFile(torrcFile(), 'utf8')).toContain('\nUseEntryGuards 1\n');
  expect((await observe()).torrc).toBeDefined();
  await ownLines('UseEntryGuards 0\n');
  expect((await observe()).torrc).toBeUndefined();
});

it.each([
  ['a line that tor does not know', 'Nonsense 1', /Nonsense/],
  ['an option that is the gateway’s', 'SocksPort 9050', /torrc\.d\/own\.conf.*SocksPort/],
  ['a foreign file', '%include /etc/passwd', /torrc\.d\/own\.conf/],
])('never loads %s: the old torrc stays, and tor goes on', async (_what, line, message) => {
  await publish('shop');
  const pid = await torPid();
  const before = await readFile(torrcFile(), 'utf8');
  await ownLines(`${line}\n`);
  await expect(write('shop')).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: expect.stringMatching(message),
  });
  await expect(load()).rejects.toMatchObject({ code: 'ConfigInvalid' });
  expect(await readFile(torrcFile(), 'utf8')).toBe(before);
  expect(await torPid()).toBe(pid);
  expect(await observe()).toMatchObject({ running: true });
});

it('restarts tor for an option that a running tor cannot change', async () => {
  await publish('shop');
  const pid = await torPid();
  await ownLines('DisableDebuggerAttachment 0\n');
  await write('shop');
  expect(await load()).toEqual({ started: true, left: [] });
  expect(await torPid()).not.toBe(pid);
});

it('does not follow a link that the daemon’s user put in place of the owner’s lines', async () => {
  await ownLines('');
  await rm(machine.outside(`${directories.config}/torrc.d/own.conf`));
  await symlink('/etc/passwd', machine.outside(`${directories.config}/torrc.d/own.conf`));
  await expect(write()).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: expect.stringMatching(/link/),
  });
});

it('refuses a tor directory that is a link', async () => {
  await stop();
  const state = machine.outside(paths.torState);
  await rm(state, { recursive: true });
  await mkdir(machine.outside('/run/elsewhere'));
  await symlink('/run/elsewhere', state);
  await expect(write()).rejects.toMatchObject({ code: expect.stringMatching(/DiskFailed|PermissionDenied/) });
  await rm(state);
});

it('says why tor ended right after its start', async () => {
  await publish('shop');
  await stop();
  await write('shop');
  await machine.sh('rm', '-rf', `${paths.torState}/data`);
  await writeFile(machine.outside(`${paths.torState}/data`), '');
  await expect(load()).rejects.toMatchObject({ message: expect.stringMatching(/data/) });
  await rm(machine.outside(`${paths.torState}/data`));
  await chmod(machine.outside(directories.state), 0o1775);
});
