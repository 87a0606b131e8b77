import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Machine, startMachine } from '../support/machine.ts';

const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');

describe('gateway up', () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await startMachine();
  });
  afterAll(() => machine.stop());

  async function gateway(...argv: string[]) {
    const child = machine.start('sh', '-c', '"$@" 2>&1', 'sh', NODE, MAIN, '--root', '/run/t', ...argv);
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [exitCode] = (await once(child, 'close')) as [number];
    return { exitCode, said };
  }

  test('on a machine without our users it says how to make them, and changes nothing', async () => {
    const passwd = machine.outside('/etc/passwd');
    const before = await readFile(passwd, 'utf8');
    await writeFile(passwd, 'root:x:0:0:root:/root:/bin/sh\n');
    const { exitCode, said } = await gateway('up');
    await writeFile(passwd, before);
    expect(exitCode).toBe(1);
    expect(said).toContain(
      'UserMissing: this machine has no user gateway-tor and no user gateway-edge and no user gateway',
    );
    expect(said).toMatch(
      /\n {2}useradd .* gateway-tor\n {2}useradd .* gateway-edge\n {2}useradd .*--groups gateway-tor gateway\n/,
    );
    await expect(machine.sh('ls', '/run/t')).rejects.toThrow('No such file');
  });

  test('down where nothing ever ran says so, and starts nothing', async () => {
    const { exitCode, said } = await gateway('down');
    expect(exitCode).toBe(1);
    expect(said).toContain('DaemonUnreachable');
    await expect(machine.sh('ls', '/run/t')).rejects.toThrow('No such file');
  });

  test.skipIf(process.getuid?.() !== 0)(
    'up starts everything, keeps what the owner wrote, and down leaves nothing (needs root: others have one user id only)',
    async () => {
      await machine.sh('mkdir', '-p', '/run/t/etc/torrc.d');
      await writeFile(
        machine.outside('/run/t/etc/gateway.yaml'),
        '# written by hand, as root\nservices: {}\n',
      );
      expect(await gateway('up')).toMatchObject({
        exitCode: 0,
        said: expect.stringContaining('Generation 1') as string,
      });
      expect((await gateway('service', 'add', 'shop', '--port', '80', '--no-tor')).exitCode).toBe(0);
      expect(await machine.sh('cat', '/run/t/etc/gateway.yaml')).toMatch(
        /^# written by hand, as root\n[^]*shop:/,
      );
      // Not sticky: the next hand edit is root's again, and the daemon replaces that one too.
      expect(await machine.sh('stat', '-c', '%U:%G %a', '/run/t/etc')).toBe('root:gateway 775');
      expect(await machine.sh('stat', '-c', '%U:%G %a', '/run/t/lib')).toBe('root:gateway 1775');
      const inside = await gateway('service', 'run', 'shop', '--', 'ip', '-br', 'address');
      expect(inside.said).toContain('10.64.1.2/32');
      const users = await machine.sh('ps', 'axo', 'user=,args=');
      expect(users).toMatch(/^root .* helper /m);
      expect(users).toMatch(/^gateway .* daemon /m);
      expect(await gateway('down')).toMatchObject({ exitCode: 0 });
      expect(await machine.sh('ip', 'netns', 'list')).toBe('');
      expect(await machine.sh('ps', 'axo', 'args=')).not.toContain(MAIN);
    },
  );
});
