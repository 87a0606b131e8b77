import { resolve } from 'node:path';
import type { Client } from './client.ts';
import type { Context } from './command.ts';
import { EXIT } from './command.ts';
import { commands } from './commands.ts';
import { explain, UsageError } from './failure.ts';
import { helpFor, helpForAll, helpForGroup } from './help.ts';
import { parseCommandLine, type Parsed } from './parse.ts';
import { remoteOf, sshArguments, type Remote } from './remote.ts';
import { progressOn, systemTerminal, type Terminal } from './terminal.ts';

/** Runs one command line and resolves with its exit code; whatever goes wrong is said on stderr. */
export async function cli(
  argv: readonly string[],
  terminal: Terminal = systemTerminal(!argv.includes('--no-color')),
): Promise<number> {
  const interrupt = interruptSignal();
  try {
    const remote = remoteOf(argv);
    if (remote !== undefined) return await runRemote(remote, interrupt);
    const parsed = parseCommandLine(isVersionAsked(argv) ? ['version'] : argv, commands);
    // Elsewhere it would be read as said, and the command run here.
    if (parsed.input.text('host') !== undefined) throw new UsageError('-H stands before everything else');
    if (parsed.command === undefined || parsed.wantsHelp) return help(parsed, terminal);
    return await parsed.command.run(parsed.input, contextFor(parsed, terminal, interrupt));
  } catch (error) {
    const { exitCode, code, message, hint, stack } = explain(error);
    if (stack !== undefined) terminal.note(stack);
    terminal.note(`gateway: ${code}: ${message}`);
    if (hint !== undefined) terminal.note(`next: ${hint}`);
    return exitCode;
  } finally {
    interrupt.release();
  }
}

/** What people type at a program that they do not know yet. */
function isVersionAsked([first, ...rest]: readonly string[]): boolean {
  return rest.length === 0 && (first === '--version' || first === '-V');
}

/** Terminal, Ctrl-C and exit code are those of the command over there; ssh's own failures end with 255. */
async function runRemote(remote: Remote, interrupt: Interrupt): Promise<number> {
  const { attach } = await import('../system/run.ts');
  interrupt.release();
  return await attach(sshArguments(remote, process.stdin.isTTY && process.stdout.isTTY));
}

function help({ command, group, wantsHelp }: Parsed, terminal: Terminal): number {
  const text =
    command !== undefined
      ? helpFor(command)
      : group !== undefined
        ? helpForGroup(group, commands)
        : helpForAll(commands);
  if (wantsHelp) terminal.print(text);
  else terminal.note(text);
  return wantsHelp ? EXIT.ok : EXIT.usage;
}

function contextFor({ input }: Parsed, terminal: Terminal, interrupt: Interrupt): Context {
  const typed = input.text('root');
  const root = typed === undefined ? undefined : resolve(typed);
  const socket = input.text('socket');
  return {
    terminal,
    root,
    socket,
    isJson: input.has('json'),
    signal: interrupt.signal,
    releaseSignals: interrupt.release,
    progress: progressOn(terminal, process.stderr.isTTY),
    commands,
    client: clientFor({ root, socket }, terminal),
  };
}

/** Found once, and said once where it is a demo's. */
function clientFor(
  typed: { readonly root: string | undefined; readonly socket: string | undefined },
  terminal: Terminal,
): Context['client'] {
  let known: Promise<Client> | undefined;
  const find = async (isHere: boolean): Promise<Client> => {
    const { findSocket } = await import('./find-socket.ts');
    const { createClient } = await import('./client.ts');
    const found = await findSocket({ ...typed, isHere }, process.env, process.getuid?.() ?? -1);
    if (found.isDemo) terminal.note('(talking to the demo that runs in another terminal)');
    return createClient(found.socket);
  };
  return (isHere = false) => (known ??= find(isHere));
}

interface Interrupt {
  readonly signal: AbortSignal;
  readonly release: () => void;
}

/** The first Ctrl-C asks to end; the second does not ask. */
function interruptSignal(): Interrupt {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  const names = ['SIGINT', 'SIGTERM'] as const;
  for (const name of names) process.on(name, interrupt);
  const release = (): void => {
    for (const name of names) process.off(name, interrupt);
  };
  return { signal: controller.signal, release };
}
