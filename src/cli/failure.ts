import { GatewayError } from '../core/errors.ts';
import { EXIT } from './command.ts';

/** The command was not typed as it should be. */
export class UsageError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}

/** The daemon said that it has a bug: its log has the details, we have none. */
export class DaemonBug extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'DaemonBug';
    this.hint = hint;
  }
}

export interface Explained {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Only of a bug of ours: whoever reports it needs it. */
  readonly stack: string | undefined;
}

export function explain(error: unknown): Explained {
  if (error instanceof UsageError) {
    return {
      exitCode: EXIT.usage,
      code: 'Usage',
      message: error.message,
      hint: error.hint,
      stack: undefined,
    };
  }
  if (error instanceof GatewayError) {
    const { code, message, hint } = error;
    const exitCode = code === 'Aborted' ? EXIT.interrupted : EXIT.warnings;
    return { exitCode, code, message, hint, stack: undefined };
  }
  if (error instanceof Error && error.name === 'AbortError') {
    const message = 'interrupted; what the gateway has begun goes on';
    return {
      exitCode: EXIT.interrupted,
      code: 'Aborted',
      message,
      hint: 'see gateway status',
      stack: undefined,
    };
  }
  const bug = { exitCode: EXIT.bug, code: 'Internal' };
  if (error instanceof DaemonBug) {
    return { ...bug, message: error.message, hint: error.hint, stack: undefined };
  }
  return {
    ...bug,
    message: error instanceof Error ? error.message : String(error),
    hint: 'this is a bug of ours; please report it with the lines above',
    stack: error instanceof Error ? error.stack : undefined,
  };
}
