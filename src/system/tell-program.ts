import { GatewayError } from '../core/errors.ts';
import { run } from './run.ts';

const MAX_TOLD = 300;
/** What `run` reports of a program that was killed; it says why better. */
const KILLED = 137;
const OF_ITS_OWN = Array.from({ length: 256 }, (_, code) => code).filter((code) => code !== KILLED);

/**
 * Tells a program of the owner's, run as the daemon's user, that the home is at another address: one line of JSON on
 * standard input, `{"family":4,"address":"11.2.0.9","before":"11.2.0.2"}`; `before` is null at the first time. It is killed
 * after a minute. Rejects unless it ends with 0.
 */
export async function tellProgram(
  path: string,
  address: string,
  before: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ran = await run([path], {
    signal,
    input: `${JSON.stringify({ family: 4, address, before: before ?? null })}\n`,
    timeoutMs: 60_000,
    accept: OF_ITS_OWN,
    env: { PATH: process.env['PATH'] },
  });
  if (ran.exitCode === 0) return;
  const said = (ran.stderr.trim() || ran.stdout.trim()).slice(0, MAX_TOLD).replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
  throw new GatewayError(`it ended with ${ran.exitCode}${said === '' ? '' : `: ${said}`}`, {
    code: 'CommandFailed',
    hint: 'mend what it says',
  });
}
