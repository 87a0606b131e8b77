import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { GatewayError, messageOf } from '../core/errors.ts';
import { UsageError } from './failure.ts';

/** No letters and digits that look alike on paper. */
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';
const GROUPS = 5;
const GROUP_LENGTH = 5;
/** Whoever has the file can guess for years. */
const MIN_LENGTH = 12;

/** Five groups of five, 123 bits: nobody guesses it, and it can be written down. */
export function generatePassphrase(): string {
  const letter = (): string => ALPHABET[randomInt(ALPHABET.length)] ?? '';
  const group = (): string => Array.from({ length: GROUP_LENGTH }, letter).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}

/** The first line of a file. */
export async function passphraseIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/)[0] ?? '';
  } catch (cause) {
    throw new GatewayError(`the passphrase file ${file} could not be read: ${messageOf(cause)}`, {
      code: 'PermissionDenied',
      hint: 'write the passphrase into its first line, readable by you alone',
      cause,
    });
  }
}

export function checkStrength(passphrase: string): string {
  if (passphrase.length >= MIN_LENGTH) return passphrase;
  throw new UsageError(
    `the passphrase has ${passphrase.length} characters; at least ${MIN_LENGTH} are needed, because whoever finds the file can try as many as they like`,
    'take a few words that nobody would guess, or let one be made: --generate',
  );
}

/** Asks at the terminal; what is typed is not shown. */
export async function askPassphrase(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new UsageError(
      'there is no terminal to ask for the passphrase',
      'name a file that holds it: --passphrase-file FILE',
    );
  }
  const wasRaw = stdin.isRaw;
  // Before the question: what is typed at once must not be shown either.
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stderr.write(question);
  try {
    return await readHidden(signal);
  } finally {
    stdin.setRawMode(wasRaw);
    stdin.pause();
    stderr.write('\n');
  }
}

/** In raw mode Ctrl-C is a character as any other. */
function readHidden(signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const { stdin } = process;
  let typed: string[] = [];
  const interrupt = (): void =>
    reject(new GatewayError('interrupted; nothing was done', { code: 'Aborted' }));
  const take = (chunk: string): void => {
    for (const character of chunk) {
      if (character === '\r' || character === '\n' || character === '\u0004') return resolve(typed.join(''));
      if (character === '\u0003') return interrupt();
      if (character === '\u0015') typed = [];
      else if (character === '\u007f' || character === '\b') typed.pop();
      else typed.push(character);
    }
  };
  stdin.on('data', take);
  signal.addEventListener('abort', interrupt, { once: true });
  stdin.resume();
  return promise.finally(() => {
    stdin.off('data', take);
    signal.removeEventListener('abort', interrupt);
  });
}
