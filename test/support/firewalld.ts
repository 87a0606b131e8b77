import { cp, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TOOLS_INSIDE, toolsFolder } from '../../src/lab/places.ts';
import type { LabNode } from '../../src/lab/index.ts';
import { run, type Argv } from '../../src/system/run.ts';

/** Too much for bin/setup (D-Bus and its Python): kept beside its sets, fetched by whoever asks for it first. */
const FOLDER = 'firewalld';
const HOME = join(toolsFolder(), FOLDER);
const INSIDE = join(TOOLS_INSIDE, FOLDER);

/** Unpacks Debian's package, with what it needs and this machine lacks; installs nothing. */
export async function fetchFirewalld(signal: AbortSignal): Promise<void> {
  if (existsSync(HOME)) return;
  const work = await mkdtemp(join(toolsFolder(), '.firewalld-'));
  const apt = (...words: string[]) =>
    run(
      [
        'apt-get',
        '-qq',
        '-o',
        'Debug::NoLocking=1',
        '-o',
        'APT::Sandbox::User=root',
        ...words,
      ] as unknown as Argv,
      {
        signal,
        cwd: work,
        timeoutMs: 120_000,
      },
    );
  try {
    const { stdout } = await apt('install', '-s', '--no-install-recommends', 'firewalld');
    const missing = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
    await apt('download', 'firewalld', ...missing.filter((name) => name !== 'firewalld'));
    for (const file of await readdir(work))
      await run(['dpkg-deb', '-x', join(work, file), join(work, 'root')], { signal, timeoutMs: 60_000 });
    await rename(join(work, 'root'), HOME);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A system bus for one: whoever is on this node may do what it likes. */
const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
`;

/** Starts it on a node, as its package configures it, and resolves with `firewall-cmd`. */
export async function startFirewalld(
  node: LabNode,
  signal: AbortSignal,
): Promise<(...words: readonly string[]) => Promise<string>> {
  const own = join(node.directory, FOLDER);
  await cp(join(HOME, 'etc/firewalld'), join(own, 'etc'), { recursive: true });
  await cp(join(HOME, 'usr/lib/firewalld'), join(own, 'lib'), { recursive: true });
  await writeFile(join(own, 'bus.conf'), BUS);
  await node.run(['mkdir', '-p', '/run/dbus'], { signal });
  const libraries = join(INSIDE, 'usr/lib/x86_64-linux-gnu');
  const env = {
    PYTHONPATH: join(INSIDE, 'usr/lib/python3/dist-packages'),
    PYTHONDONTWRITEBYTECODE: '1',
    LD_LIBRARY_PATH: libraries,
    GI_TYPELIB_PATH: join(libraries, 'girepository-1.0'),
  };
  const python = (program: string): [string, string] => ['/usr/bin/python3', join(INSIDE, program)];
  await node.detach(['dbus-daemon', `--config-file=${own}/bus.conf`, '--nofork', '--nopidfile'], {
    logFile: join(own, 'bus.log'),
  });
  await node.detach(
    [
      ...python('usr/sbin/firewalld'),
      '--nofork',
      '--nopid',
      `--system-config=${own}/etc`,
      `--default-config=${own}/lib`,
    ],
    { logFile: join(own, 'firewalld.log'), env },
  );
  const command = async (words: readonly string[], accept: readonly number[]): Promise<string> => {
    const { stdout } = await node.run([...python('usr/bin/firewall-cmd'), ...words], { signal, env, accept });
    return stdout.trim();
  };
  const NOT_RUNNING = [0, 1, 252];
  const until = Date.now() + 30_000;
  while ((await command(['--state'], NOT_RUNNING)) !== 'running') {
    if (Date.now() > until) throw new Error(`firewalld did not start; see ${own}/firewalld.log`);
  }
  return (...words) => command(words, [0]);
}
