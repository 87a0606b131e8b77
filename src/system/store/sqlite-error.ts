import { GatewayError, type ErrorCode } from '../../core/errors.ts';

/** Result codes, https://www.sqlite.org/rescode.html; the low byte of an extended code is the primary one. */
const PRIMARY: Readonly<
  Record<number, { readonly code: ErrorCode; readonly why: string; readonly hint: string }>
> = {
  3: {
    code: 'PermissionDenied',
    why: 'access is denied',
    hint: 'check the owner of the file and its directory',
  },
  5: { code: 'AlreadyRunning', why: 'another process writes it', hint: 'stop the other gateway' },
  6: { code: 'AlreadyRunning', why: 'another process writes it', hint: 'stop the other gateway' },
  8: {
    code: 'PermissionDenied',
    why: 'it is read-only',
    hint: 'check the owner of the file and its directory',
  },
  10: {
    code: 'DiskFailed',
    why: 'the disk reports an error',
    hint: 'look at dmesg; make a backup while it still reads',
  },
  11: {
    code: 'StateCorrupt',
    why: 'it is damaged',
    hint: 'restart the gateway, which takes everything from the snapshot',
  },
  13: { code: 'DiskFull', why: 'the disk is full', hint: 'free some space, then try again' },
  14: {
    code: 'PermissionDenied',
    why: 'it could not be opened',
    hint: 'check the owner of the file and its directory',
  },
  26: {
    code: 'StateCorrupt',
    why: 'it is not a database',
    hint: 'restart the gateway, which takes everything from the snapshot',
  },
};

/** Translates what node:sqlite threw; anything else is a bug of ours and passes. */
export function sqliteError(path: string, cause: unknown): unknown {
  const number = resultCode(cause);
  if (number === undefined || !(cause instanceof Error)) return cause;
  const meaning = PRIMARY[number & 0xff];
  if (meaning === undefined) return cause;
  return new GatewayError(`${path}: ${meaning.why} (${cause.message})`, {
    code: meaning.code,
    hint: meaning.hint,
    cause,
  });
}

/** Malformed, not a database, a short read, a table that should be there, a row that is no JSON. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof SyntaxError) return true;
  const number = resultCode(error);
  return number !== undefined && ([1, 11, 26].includes(number & 0xff) || number === 522);
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}
