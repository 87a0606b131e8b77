import { GatewayError } from '../../core/errors.ts';
import type { Printed } from '../../doctor/world.ts';
import { run } from '../run.ts';

const TIMEOUT_MS = 6000;
/** Every code that a program may end with: what it means is for who asked. */
const ANY = Array.from({ length: 256 }, (_, code) => code);

/** In English, so that it can be read. */
export async function printed(
  argv: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<Printed | undefined> {
  try {
    const options = { signal, timeoutMs: TIMEOUT_MS, accept: ANY, env: { ...process.env, LC_ALL: 'C' } };
    const { stdout, stderr, exitCode } = await run(argv, options);
    return { stdout: stdout + stderr, exitCode };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return undefined;
  }
}
