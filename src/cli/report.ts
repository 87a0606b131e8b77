import type { Taken, UpReport } from '../core/control.ts';
import type { Context } from './command.ts';
import { exitCodeOfReport, renderUp } from './render-lists.ts';
import { plain } from './terminal.ts';

/** Prints the API's object unchanged, or its text for people. */
export function show(context: Context, value: unknown, text: () => string): void {
  context.terminal.print(context.isJson ? JSON.stringify(value) : text());
}

/** What most commands end with: what was applied, and whether all of it worked. */
export function showUp(context: Context, report: UpReport): number {
  show(context, report, () => renderUp(report));
  return exitCodeOfReport(report);
}

/** What still works although it was taken away. */
export function warnings({ notices }: Taken): string[] {
  return notices.map((notice) => `! ${plain(notice)}`);
}

/** A part of a path of the API. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}
