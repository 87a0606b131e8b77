import { defineConfig } from 'vitest/config';
import { CountsReporter } from './test/support/counts-reporter.ts';
import { temporaryFolder } from './test/support/temporary.ts';

/** Tests in a virtual machine (bin/kernel-vm): one at a time, it takes the whole machine. */
export default defineConfig({
  test: {
    include: ['test/kernel/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    env: { TMPDIR: temporaryFolder() },
    reporters: ['default', new CountsReporter()],
  },
});
