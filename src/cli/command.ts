import type { Progress } from '../core/control.ts';
import type { Client } from './client.ts';
import type { Terminal } from './terminal.ts';

/** Names that the shell can complete: words known here, or names that the running gateway is asked for. */
export type Completion = 'services' | 'devices' | 'providers' | 'commands' | 'file' | readonly string[];

export interface Option {
  readonly name: string;
  readonly short?: string;
  /** Shown in help as `--port P`; without it the option is a switch. */
  readonly value?: string;
  readonly isRepeatable?: true;
  readonly completion?: Completion;
  readonly summary: string;
}

export interface Argument {
  readonly name: string;
  readonly isOptional?: true;
  readonly isRepeatable?: true;
  readonly completion?: Completion;
  readonly summary: string;
}

/** One command of the CLI. Parser, help, completion and docs/reference/cli.md all read this table. */
export interface Command {
  /** As typed: 'service add'. */
  readonly name: string;
  readonly summary: string;
  /** Paragraphs below the summary. */
  readonly details?: readonly string[];
  readonly arguments: readonly Argument[];
  readonly options: readonly Option[];
  readonly examples?: readonly string[];
  readonly isHidden?: true;
  run(input: Input, context: Context): Promise<number>;
}

/** What was typed, checked against the command's options and arguments. */
export interface Input {
  has(option: string): boolean;
  text(option: string): string | undefined;
  list(option: string): readonly string[];
  /** A required argument. */
  argument(name: string): string;
  optional(name: string): string | undefined;
  /** All values of a repeatable argument. */
  rest(name: string): readonly string[];
}

export interface Context {
  readonly terminal: Terminal;
  readonly isJson: boolean;
  /** `--root`, as typed. */
  readonly root: string | undefined;
  /** `--socket`, as typed. */
  readonly socket: string | undefined;
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** From here on Ctrl-C and SIGTERM are for the program in the foreground, not for this command. */
  releaseSignals(): void;
  readonly commands: readonly Command[];
  /** The running gateway; the same each time. `isHere`: not a demo's, which runs on another machine's network. */
  client(isHere?: boolean): Promise<Client>;
}

/** Exit codes; see docs/reference/cli.md. */
export const EXIT = {
  ok: 0,
  warnings: 1,
  unreachable: 2,
  undecided: 3,
  usage: 64,
  bug: 70,
  interrupted: 130,
} as const;

/** What each exit code means, for the generated reference. */
export const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'It worked.',
  [EXIT.warnings]: 'It failed, or it worked with warnings.',
  [EXIT.unreachable]: 'A configured way in is unreachable.',
  [EXIT.undecided]: 'It could not be decided whether every way in is reachable.',
  [EXIT.usage]: 'The command was not typed as it should be.',
  [EXIT.bug]: 'A bug of ours.',
  [EXIT.interrupted]: 'Interrupted by Ctrl-C or SIGTERM.',
};

/** Ids of the providers, for completion only: which exist is decided by the daemon. A test compares the two. */
export const PROVIDER_IDS: readonly string[] = ['tor', 'wireguard', 'clearnet', 'relay'];
