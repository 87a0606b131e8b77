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
    expect(said).toContain('UserMissing: this machine has no user gateway-tor and no user gateway');
    expect(said).toMatch(/\n {2}useradd .* gateway-tor\n {2}useradd .*--groups gateway-tor gateway\n/);
    await expect(machine.sh('ls', '/run/t')).rejects.toThrow('No such file');
  });

  test('down where nothing ever ran says so, and starts nothing', async () => {
    const { exitCode, said } = await gateway('down');
    expect(exitCode).toBe(1);
    expect(said).toContain('DaemonUnreachable');
    await expect(machine.sh('ls', '/run/t')).rejects.toThrow('No such file');
  });
});
