import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Ends a run with one plain line for programs that read it: `3 passed, 0 failed, 1 skipped`. */
export class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    process.stdout.write(`${countsOf(modules, unhandled.length)}\n`);
  }
}

/** What failed beside a test counts too (a file that could not be read, a promise nobody waited for). */
function countsOf(modules: readonly TestModule[], unhandled: number): string {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const isBroken = (module: TestModule): boolean =>
    !module.ok() && [...module.children.allTests('failed')].length === 0;
  const of = (state: string): number => tests.filter((test) => test.result().state === state).length;
  const failed = of('failed') + modules.filter(isBroken).length + unhandled;
  return `${of('passed')} passed, ${failed} failed, ${of('skipped') + of('pending')} skipped`;
}
