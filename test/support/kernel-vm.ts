import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface Booted {
  readonly exitCode: number | null;
  readonly output: string;
  /** What the script said with `fact NAME VALUE`. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Runs a script of test/kernel in a virtual machine with systemd; what it wrote stays on `disk` for the next start. */
export function boot(script: string, disk: string): Promise<Booted> {
  return start(['--systemd', '--disk', disk, ...scriptOf(script)], '');
}

/** Without systemd and without a disk, in seconds; `kernel`: more arguments of the kernel. */
export function bootBriefly(script: string, kernel: string): Promise<Booted> {
  return start(scriptOf(script), kernel);
}

function scriptOf(script: string): string[] {
  return ['sh', join(ROOT, 'test/kernel', script), ROOT];
}

function start(argv: readonly string[], kernel: string): Promise<Booted> {
  const { promise, resolve: done, reject } = Promise.withResolvers<Booted>();
  const machine = spawn(join(ROOT, 'bin/kernel-vm'), argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, VM_KERNEL: kernel },
  });
  let output = '';
  for (const stream of [machine.stdout, machine.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  machine.on('error', reject);
  machine.on('close', (exitCode) => {
    const facts = [...output.matchAll(/^FACT ([a-z-]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]);
    done({ exitCode, output, facts: Object.fromEntries(facts) as Record<string, string> });
  });
  return promise;
}
