import type { Check } from '../doctor/check.ts';
import type { Done } from '../doctor/examine.ts';
import { text } from '../doctor/messages/message.ts';
import type { Say } from '../doctor/messages/say.ts';
import type { Context } from './command.ts';

export interface LiveProgress {
  readonly done: (done: Done) => void;
  /** Takes away what was drawn. */
  readonly end: () => void;
}

const EVERY_MS = 1000;
const CLEAR_LINE = '\r\u001b[2K';

/** One line that says what is waited for, where somebody watches; a line for each check that ended, elsewhere. */
export function liveProgress(options: {
  readonly checks: readonly Check[];
  readonly say: Say;
  readonly context: Pick<Context, 'terminal' | 'isJson' | 'progress'>;
}): LiveProgress {
  const { checks, say, context } = options;
  const { keyboard, columns } = context.terminal;
  const waiting = new Set(checks.map(({ name }) => name));
  if (keyboard === undefined || context.isJson) return { done: plainly(options), end: () => undefined };
  const begun = performance.now();
  const draw = (): void => {
    const values = {
      done: checks.length - waiting.size,
      count: checks.length,
      seconds: Math.round((performance.now() - begun) / 1000),
      names: [...waiting].join(', '),
    };
    keyboard.draw(CLEAR_LINE + say(text('report.waiting', values)).slice(0, columns - 1));
  };
  const timer = setInterval(draw, EVERY_MS);
  draw();
  return {
    done: ({ check }) => {
      waiting.delete(check.name);
      draw();
    },
    end: () => {
      clearInterval(timer);
      keyboard.draw(CLEAR_LINE);
    },
  };
}

function plainly({ say, context }: Parameters<typeof liveProgress>[0]): LiveProgress['done'] {
  return ({ check, text: line }) => context.progress(`${say(text(check.title))}: ${say(line)}`);
}
