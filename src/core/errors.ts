/**
 * Expected failures of the outside world. Anything else that is thrown is a bug of ours.
 * Codes are API: they are printed, documented (docs/reference/errors.md) and never renamed within a major version.
 */
export type Retry = 'backoff' | 'when-changed' | 'never';

/** Every code, with the sentence that the generated reference shows. */
export const ERROR_CODES = {
  Aborted: 'The operation was cancelled before it finished.',
  AddressPoolExhausted: 'Every address of the pool is in use; choose a larger pool.',
  AlreadyExists: 'Something with this name exists already.',
  AlreadyRunning: 'Another gateway uses the same directories.',
  BackupEmpty: 'There is nothing to back up: no gateway was ever used with these directories.',
  BackupUnreadable: 'A backup file is damaged, of a later version, or no backup; nothing was changed.',
  CertificateNotNow: 'A certificate could not be had now; it is tried again.',
  CertificateRefused: 'A certificate authority refused a certificate, or gave one that cannot be used.',
  CertificateUnknown: 'No certificate is kept for this name.',
  CommandFailed: 'A system command ended with an error.',
  CommandMissing: 'A program that is needed is not on this machine.',
  ConfigInvalid: 'gateway.yaml has an error; nothing was changed.',
  ConfigMissing: 'There is no gateway.yaml yet.',
  ConnectionRefused: 'The far end refused the connection: nothing listens there.',
  DaemonUnreachable: 'The gateway daemon does not answer.',
  DeviceUnknown: 'There is no device with this name.',
  DiskFailed: 'The disk refused to store or to return data.',
  DiskFull: 'The disk is full; the previous state was kept.',
  DomainTaken: 'Two services ask for one web name.',
  EdgeUnavailable: 'HAProxy is not running, does not answer, or refused its configuration.',
  EndpointUnknown: 'It is not known yet where devices find this gateway.',
  GenerationUnknown: 'There is no such generation to roll back to.',
  HelperRefused: 'The helper refused an operation that the applied config does not justify.',
  HelperUnreachable: 'The helper process (root) does not answer.',
  InvalidRequest: 'The request is not well formed.',
  KeyCorrupt: 'A key on disk is damaged. It is never replaced by a fresh one.',
  KeyMissing: 'A key that was in use is gone from disk. It is never replaced by a fresh one.',
  LabFailed: 'The lab could not be built.',
  MappingFailed: 'The router did not open a port, or does not answer.',
  NotifyRefused: 'Whoever is told what is wrong did not take the message; it is sent again.',
  NotSupported: 'This machine or provider cannot do that.',
  NameNotChanged: 'The host of a public name could not change it now; it is tried again.',
  NameRefused: 'The host of a public name refused a change; it is not asked again before something changes.',
  NamespaceMissing: 'The network namespace of a service is not there: its container or unit is not running.',
  NamespaceTaken:
    'A network namespace, or what is needed in it, is used by another service or belongs to somebody else.',
  NodeFailed: 'A Lightning node refused what was asked of it, or did not prove to be the configured one.',
  PassphraseWrong: 'The passphrase does not open this backup; nothing was changed.',
  PermissionDenied: 'The operating system refused access.',
  PortInUse: 'A port that is needed is taken by another program.',
  RelayRefused: 'A relay refused what it was asked: an invite that was used, a home that it does not know.',
  RelayUnknown: 'There is no relay with this name.',
  RelayUnreachable: 'A relay does not answer, or is not the one that was joined.',
  ServiceUnknown: 'There is no service with this name.',
  StateCorrupt: 'The state on disk is damaged.',
  Timeout: 'Something did not answer in time.',
  TorControl: "Tor's control socket answered with an error.",
  TorUnavailable: 'Tor is not running or does not answer.',
  Unreachable: 'A network connection could not be made.',
  UserMissing: 'A user account that the gateway runs as does not exist on this machine.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}

export interface ErrorDetails {
  readonly code: ErrorCode;
  readonly retry?: Retry;
  /** The next step for the person who reads the message: a command, or what to change. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The world refused. Messages name the thing and the value; `hint` says what to do next. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly hint: string | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'GatewayError';
    this.code = details.code;
    this.retry = details.retry ?? 'backoff';
    this.hint = details.hint;
  }
}

/** The text of any thrown value, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `errno` of a Node error (`ENOENT`, `ENOSPC` …), if it has one. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
