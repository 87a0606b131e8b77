import type { Context } from './command.ts';

/** Home, the screen, and what can be scrolled back (xterm's 3J: xterm, VTE, Konsole, tmux, the Linux console). */
const WIPE = '\x1b[H\x1b[2J\x1b[3J';

/**
 * A secret that was shown stays where the terminal keeps its lines, for whoever scrolls back. So it is wiped as soon as its
 * owner says that it is where it belongs. A command that is not at a terminal leaves its output to whoever reads it.
 */
export async function wipeOnceSaved(context: Context): Promise<void> {
  const { terminal, signal } = context;
  if (terminal.keyboard === undefined) return;
  terminal.note(
    'This is shown once. Press Enter when it is where it belongs: then it is wiped from this terminal …',
  );
  if (await terminal.keyboard.enter(signal)) return wipe(context);
  terminal.note('It is still in this terminal. To wipe it: printf "\\033[H\\033[2J\\033[3J"');
}

/** The device has it: nobody needs to be asked. */
export function wipe({ terminal }: Context): void {
  if (terminal.keyboard !== undefined) terminal.keyboard.draw(WIPE);
}
