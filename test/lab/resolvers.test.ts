import { existsSync, realpathSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE_INSIDE } from '../../src/lab/index.ts';
import { TOOLS_INSIDE, toolsFolder } from '../../src/lab/places.ts';
import { capture, EXIT, startIsolation, type Isolation } from '../support/isolation-lab.ts';

/**
 * Names do not leave by a side door: systemd-resolved and nscd run on the machine, as on most, and answer whoever reaches
 * their sockets. A service that leaves through tor does not reach them.
 */
const TOOLS = toolsFolder();
const UNPACKED = existsSync(join(TOOLS, 'bin')) ? join(realpathSync(join(TOOLS, 'bin')), '../root') : '';
const RESOLVED = 'lib/systemd/systemd-resolved';
const hasThem = [RESOLVED, 'usr/sbin/nscd'].every((path) => existsSync(join(UNPACKED, path)));

/** Asks both daemons by their sockets, in their own protocols (varlink; glibc's nscd-client.h), and libc. */
const ASKER = `
const net = require('node:net');
const ask = (name, path, request) => new Promise((done) => {
  const say = (text) => { console.log(name + ' ' + text); done(); };
  const socket = net.connect(path, () => socket.write(request));
  socket.on('data', (data) => { say(data.length > 32 ? 'answers' : 'knows nothing'); socket.destroy(); });
  socket.on('error', (error) => say(error.code)).setTimeout(4000, () => say('silent'));
});
const [who] = process.argv.slice(1);
const varlink = JSON.stringify({ method: 'io.systemd.Resolve.ResolveHostname', parameters: { name: who + '-resolved.lab.test' } }) + '\\0';
const key = Buffer.from(who + '-nscd.lab.test\\0');
const header = Buffer.alloc(12);
[2, 4, key.length].forEach((value, index) => header.writeInt32LE(value, 4 * index));
(async () => {
  await ask('resolved', '/run/systemd/resolve/io.systemd.Resolve', varlink);
  await ask('nscd', '/var/run/nscd/socket', Buffer.concat([header, key]));
  await require('node:dns').promises.lookup(who + '-libc.lab.test').then(({ address }) => console.log('libc ' + address), (error) => console.log('libc ' + error.code));
})();
`;

let world: Isolation;
const signal = AbortSignal.timeout(280_000);
beforeAll(async () => {
  if (!hasThem) return;
  world = await startIsolation(signal);
  await startResolvers();
}, 60_000);
afterAll(() => world?.lab.stop());

async function startResolvers(): Promise<void> {
  const { home } = world;
  for (const [file, line] of [
    ['passwd', 'systemd-resolve:x:994:994::/:/usr/sbin/nologin'],
    ['group', 'systemd-resolve:x:994:'],
  ] as const) {
    const add = `grep -q ^systemd-resolve: /etc/${file} || echo '${line}' >>/etc/${file}`;
    await home.run(['sh', '-c', add], { signal });
  }
  await home.run(['mkdir', '-p', '/run/systemd', '/run/nscd'], { signal });
  const conf = join(home.directory, 'nscd.conf');
  const caches = ['enable-cache hosts yes', 'persistent hosts no', 'shared hosts no'];
  await writeFile(conf, `${caches.join('\n')}\n`);
  const inside = UNPACKED.replace(TOOLS, TOOLS_INSIDE);
  const libraries = ['usr/lib', 'lib'].map((lib) => `${inside}/${lib}/x86_64-linux-gnu/systemd`);
  const start = (name: string, ...argv: [string, ...string[]]) =>
    home.detach(argv, {
      logFile: join(home.directory, `${name}.log`),
      env: { LD_LIBRARY_PATH: libraries.join(':') },
    });
  await start('resolved', `${inside}/${RESOLVED}`);
  await start('nscd', `${inside}/usr/sbin/nscd`, '-F', '-f', conf);
}

it.skipIf(!hasThem)(
  'names of a service are not told to systemd-resolved or nscd (needs both: bin/setup fetches them)',
  async () => {
    const { gateway, home } = world;
    await expect
      .poll(() => world.fetch('hidden', 'http://web.lab.test/', '--max-time', '2'), { timeout: 30_000 })
      .toContain(`you are ${EXIT}`);
    const stop = await capture(home, 'lan');
    // Both answer, and what they are asked leaves the house.
    const said = await world.within(undefined, NODE_INSIDE, '-e', ASKER, 'host');
    expect(said).toMatch(/resolved answers\nnscd (answers|knows nothing)\nlibc/);
    const service = await gateway.command(
      signal,
      'service',
      'run',
      'hidden',
      '--',
      NODE_INSIDE,
      '-e',
      ASKER,
      'service',
    );
    const seen = await stop();
    expect(seen.contains('host-resolved')).toBe(true);
    expect(seen.contains('host-nscd')).toBe(true);
    expect(service).toMatch(/resolved ENOENT\nnscd ENOENT\nlibc/);
    expect(seen.contains('service-')).toBe(false);
  },
  60_000,
);
