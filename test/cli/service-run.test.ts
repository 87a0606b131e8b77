import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { PlaceReport } from '../../src/core/control.ts';
import { serveOnSocket } from '../../src/daemon/listen.ts';
import { type Machine, startMachine, until } from '../support/machine.ts';
import { place, recordingControl } from '../support/recording-control.ts';

const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const ROOT = '/run/t';
/** Without root this machine has one user id, and no program can change to another. */
const canChangeUser = process.getuid?.() === 0;

describe.skipIf(!canChangeUser)(
  'service run, as somebody else (needs root: others have one user id only)',
  () => {
    let machine: Machine;
    let server: { close(): Promise<void> };
    let answer: PlaceReport;
    beforeAll(async () => {
      machine = await startMachine();
      await machine.sh('ip', 'netns', 'add', 'gw-shop');
      await machine.sh('ip', 'netns', 'exec', 'gw-shop', 'ip', 'link', 'add', 'only-here', 'type', 'veth');
      for (const directory of ['run', 'lib'])
        await mkdir(machine.outside(`${ROOT}/${directory}`), { recursive: true });
      const { control } = recordingControl({ place: () => Promise.resolve(answer) });
      const socket = machine.outside(`${ROOT}/run/api.sock`);
      server = await serveOnSocket(
        createApp(control, () => undefined),
        socket,
        { mode: 0o666 },
      );
    });
    afterAll(async () => {
      await server.close();
      await machine.stop();
    });

    const start = (name: string, ...command: string[]): ChildProcess =>
      machine.start('env', 'SECRET=1', NODE, MAIN, '--root', ROOT, 'service', 'run', name, '--', ...command);
    async function runAs(name: string, ...command: string[]) {
      const child = start(name, ...command);
      let stdout = '';
      child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      const [exitCode] = (await once(child, 'close')) as [number];
      return { exitCode, lines: stdout.trim().split('\n') };
    }

    test('the program is alone: own namespace, own user, own directory, nothing of the environment', async () => {
      answer = place('shop', { uid: 61_184 });
      const script =
        'id -u; id -g; id -G; pwd; echo "$HOME"; echo "[$SECRET]"; ip -o link | cut -d: -f2; cat /proc/self/status';
      const { exitCode, lines } = await runAs('shop', 'sh', '-c', script);
      expect(exitCode).toBe(0);
      const directory = `${ROOT}/lib/services/shop`;
      expect(lines.slice(0, 6)).toEqual(['61184', '61184', '61184', directory, directory, '[]']);
      expect(lines.join()).toContain('only-here');
      expect(lines).toEqual(
        expect.arrayContaining(['NoNewPrivs:\t1', 'CapBnd:\t0000000000000000', 'CapEff:\t0000000000000000']),
      );
      const { uid, mode } = await lstat(machine.outside(directory));
      expect([uid, mode & 0o777]).toEqual([61_184, 0o700]);
    });

    test('no socket that resolves names is in reach, nor one of the gateway', async () => {
      answer = place('shop', { uid: 61_184 });
      await machine.sh('mkdir', '-p', '/run/dbus', '/run/nscd', '/run/systemd/resolve');
      for (const path of ['/run/nscd/socket', '/run/dbus/system_bus_socket']) {
        await writeFile(machine.outside(path), '');
      }
      const script = 'ls -A /run/dbus /run/nscd /run/systemd/resolve "$1"; cat /proc/self/mountinfo';
      const { lines } = await runAs('shop', 'sh', '-c', script, 'sh', `${ROOT}/run`);
      expect(lines.join()).not.toMatch(/socket|sock/);
      expect(await machine.sh('ls', '/run/nscd')).toBe('socket');
      await expect.poll(() => machine.sh('pgrep', '-r', 'S', '-x', 'sleep').catch(() => 'none')).toBe('none');
    });

    test('its exit code is passed on, and so is a signal', async () => {
      answer = place('shop', { uid: 61_184 });
      expect((await runAs('shop', 'sh', '-c', 'exit 42')).exitCode).toBe(42);
      const child = start('shop', 'sh', '-c', 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done');
      await once(child.stdout ?? child, 'data');
      const cli = await until(async () => {
        const found = await machine.sh('pgrep', '-f', 'service run shop').catch(() => '');
        return found === '' ? undefined : found.split('\n').at(-1);
      });
      await machine.sh('kill', '-TERM', cli ?? '');
      expect(await once(child, 'close')).toEqual([7, null]);
    });

    test.each([
      ['root', { uid: 0 }],
      ['a user of the machine', { uid: 1000 }],
      ['another namespace', { namespace: '../init' }],
      ['a namespace that is an option', { namespace: '-all' }],
    ])('a daemon that says %s is refused', async (_case, changes) => {
      answer = place('shop', { uid: 61_184, ...changes });
      const { exitCode } = await runAs('shop', 'touch', '/run/was-here');
      expect(exitCode).toBe(1);
      await expect(lstat(machine.outside('/run/was-here'))).rejects.toThrow('ENOENT');
    });

    test('a link where the private directory should be is not followed', async () => {
      answer = place('trap', { uid: 61_184, namespace: 'gw-shop' });
      const victim = machine.outside('/run/victim');
      await mkdir(victim);
      await chmod(victim, 0o755);
      await symlink('/run/victim', machine.outside(join(ROOT, 'lib/services/trap')));
      expect((await runAs('trap', 'true')).exitCode).toBe(1);
      const { uid, mode } = await lstat(victim);
      expect([uid, mode & 0o777]).toEqual([0, 0o755]);
      expect(await readFile(machine.outside('/etc/passwd'), 'utf8')).toContain('root');
    });
  },
);
