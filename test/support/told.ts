import type { ChildProcess } from 'node:child_process';
import { afterEach } from 'vitest';

/**
 * What programs say on stderr while a test runs: shown when the test fails, and forgotten when it does not. A setup file
 * of vitest, so that the hook stands for every test.
 */
const told: Buffer[] = [];

export function keepWhatItTells(child: ChildProcess): void {
  child.stderr?.on('data', (chunk: Buffer) => told.push(chunk));
}

/** A benchmark starts machines too, without vitest. */
if (process.env['VITEST'] !== undefined) {
  afterEach(({ task }) => {
    const text = Buffer.concat(told.splice(0)).toString();
    if (task.result?.state === 'fail' && text !== '') {
      process.stderr.write(`while "${task.name}" failed, programs said:\n${text}\n`);
    }
  });
}
