import { extname, join, resolve } from 'node:path';
import { type Context, EXIT, type Input } from '../command.ts';
import { show } from '../report.ts';
import { demandRoot, installSteps, openLedger, takeSteps } from './install.ts';
import { layoutIn } from './layout.ts';
import { examineProgram } from './program.ts';

/** Folder of the program that runs: from src/ or from dist/src/. */
export function ownFolder(): string {
  const up = extname(import.meta.filename) === '.ts' ? '../../..' : '../../../..';
  return resolve(join(import.meta.dirname, up));
}

/** `gateway install`. */
export async function install(input: Input, context: Context): Promise<number> {
  const top = resolve(input.text('destdir') ?? '/');
  const isHere = top === '/';
  const isDry = input.has('dry-run');
  if (isHere && !isDry) demandRoot('install');
  const layout = layoutIn(top);
  const program = await examineProgram(ownFolder());
  const isStarted = !input.has('no-start');
  const ledger = await openLedger(layout);
  const steps = installSteps({ layout, program, isHere, isStarted }, ledger, context);
  const open = isDry ? await notDone(steps) : await takeSteps(steps, context);
  show(context, { version: program.id, [isDry ? 'toDo' : 'done']: open }, () =>
    [
      ...open.map((say) => `${isDry ? 'would ' : ''}${say}`),
      ...(open.length === 0 ? ['Everything is in place already.'] : []),
      ...(isDry ? [] : [`Gateway ${program.id} is installed. How it is: gateway status`]),
    ].join('\n'),
  );
  return EXIT.ok;
}

async function notDone(steps: readonly { readonly say: string; isDone(): Promise<boolean> }[]) {
  const open: string[] = [];
  for (const step of steps) if (!(await step.isDone())) open.push(step.say);
  return open;
}
