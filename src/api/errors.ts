import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type ErrorCode, GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { ErrorBody } from './schema.ts';

/** A code that is not listed here is a failure of this machine: 500. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  Aborted: 503,
  AddressPoolExhausted: 409,
  AlreadyExists: 409,
  AlreadyRunning: 409,
  CommandMissing: 503,
  ConfigInvalid: 422,
  ConfigMissing: 404,
  DeviceUnknown: 404,
  DiskFull: 507,
  GenerationUnknown: 404,
  HelperRefused: 403,
  HelperUnreachable: 503,
  InvalidRequest: 400,
  NotSupported: 422,
  PermissionDenied: 403,
  PortInUse: 409,
  ServiceUnknown: 404,
  Timeout: 504,
  TorControl: 502,
  TorUnavailable: 503,
  Unreachable: 502,
};

export function statusOf(code: ErrorCode): ContentfulStatusCode {
  return STATUS_OF_CODE[code] ?? 500;
}

export interface Failure {
  readonly status: ContentfulStatusCode;
  readonly body: ErrorBody;
}

/** What the caller is told. A bug of ours is written to the log with its stack, and nothing of it leaves. */
export function failureOf(error: unknown, log: Log): Failure {
  if (error instanceof GatewayError) {
    const { code, message, hint } = error;
    return { status: statusOf(code), body: { code, message, hint: hint ?? null } };
  }
  if (error instanceof HTTPException) return refusal(error.status, error.message);
  log('error', 'a bug of ours in the API', {
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return {
    status: 500,
    body: {
      code: 'Internal',
      message: 'the gateway failed in a way that it should not: this is a bug of ours',
      hint: "the daemon's log has the details; please report them",
    },
  };
}

export function refusal(status: ContentfulStatusCode, message: string, hint: string | null = null): Failure {
  return { status, body: { code: 'InvalidRequest', message, hint } };
}
