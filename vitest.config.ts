import { defineConfig } from 'vitest/config';
import { pathOutside } from './src/lab/places.ts';
import { CountsReporter } from './test/support/counts-reporter.ts';
import { temporaryFolder } from './test/support/temporary.ts';

// `pool: forks`: lab tests spawn real processes and must not share a process with another file.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // In a virtual machine: npm run test:kernel; with a browser: npm run test:browser
    exclude: ['test/kernel/**', 'test/browser/**'],
    pool: 'forks',
    // Two for each core of the smallest machine: labs mostly wait, and with one for each more than half of it stood idle.
    maxWorkers: 4,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    // The programs that bin/setup unpacked, for tests that call them from outside a lab.
    env: { PATH: pathOutside(), TMPDIR: temporaryFolder() },
    reporters: ['default', new CountsReporter()],
  },
});
