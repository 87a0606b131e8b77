import type { Log, LogLevel } from '../core/ports.ts';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/**
 * One JSON object a line on stderr: a static message plus data. Secrets are `Secret` and print themselves redacted.
 * `GATEWAY_LOG` sets the lowest level that is written; default info.
 */
export function createLog(component: string, lowest: string | undefined): Log {
  const floor = Math.max(
    LEVELS.findIndex((level) => level === (lowest ?? 'info')),
    0,
  );
  return (level, message, data = {}) => {
    if (LEVELS.indexOf(level) < floor) return;
    process.stderr.write(
      `${JSON.stringify({ at: new Date().toISOString(), level, component, message, ...data })}\n`,
    );
  };
}
