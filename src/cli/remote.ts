import type { Argv } from '../system/run.ts';
import { UsageError } from './failure.ts';

/** A gateway on another machine, reached with the owner's own ssh: its keys, its agent, its known hosts. */
export interface Remote {
  /** What ssh is told: `ssh://me@box:2222`. */
  readonly destination: string;
  /** The command line over there. */
  readonly words: readonly string[];
}

const OPTION = /^(?:-H|--host)(?:=(.*))?$/s;
/** RFC 3986 host and user, no more; nothing that ssh could take for an option. */
const DESTINATION =
  /^ssh:\/\/(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\/?$/;

/** `undefined`: the command is for this machine. Only what stands before the command counts. */
export function remoteOf(argv: readonly string[]): Remote | undefined {
  const [first = ''] = argv;
  const match = OPTION.exec(first);
  if (match === null) return undefined;
  const inline = match[1];
  const typed = inline ?? argv[1];
  if (typed === undefined || typed === '')
    throw new UsageError('-H needs the other machine', 'gateway -H ssh://box status');
  const full = typed.includes('://') ? typed : `ssh://${typed}`;
  if (!DESTINATION.test(full)) {
    throw new UsageError(
      `-H is "${typed}", expected ssh://[user@]machine[:port]`,
      'gateway -H ssh://me@box status',
    );
  }
  return { destination: full.replace(/\/$/, ''), words: argv.slice(inline === undefined ? 2 : 1) };
}

/** sshd gives what we send to the login shell over there: each word is quoted for it. */
export function sshArguments({ destination, words }: Remote, isTerminal: boolean): Argv {
  return ['ssh', isTerminal ? '-t' : '-T', '--', destination, ['gateway', ...words.map(quoted)].join(' ')];
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
