import { defineConfig } from 'vitest/config';
import { pathOutside } from './src/lab/places.ts';
import { CountsReporter } from './test/support/counts-reporter.ts';
import { temporaryFolder } from './test/support/temporary.ts';

/** Tests with a browser that bin/setup-set browser unpacked, which weighs more than everything else together. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    env: { PATH: pathOutside(), TMPDIR: temporaryFolder() },
    reporters: ['default', new CountsReporter()],
  },
});
