import type { Log } from '../core/ports.ts';
import type { OperationArguments, OperationName, OperationResult } from '../core/operations.ts';
import type { Directories, Paths } from '../system/directories.ts';

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/** What every operation of the helper has at hand. */
export interface HelperEnvironment {
  readonly directories: Directories;
  readonly paths: Paths;
  /** User of the daemon. */
  readonly gateway: UserIds;
  /** User of the tor process. */
  readonly tor: UserIds;
  /** User of HAProxy. */
  readonly edge: UserIds;
  /** Name of HAProxy's unit under systemd, where it is not `gateway-edge`. */
  readonly edgeUnit?: string;
  readonly log: Log;
}

export type Handler<Name extends OperationName> = (
  input: OperationArguments<Name>,
  environment: HelperEnvironment,
  signal: AbortSignal,
) => Promise<OperationResult<Name>>;
