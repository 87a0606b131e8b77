import { defineConfig } from 'vitest/config';

/** Tests in a virtual machine (bin/kernel-vm): one at a time, it takes the whole machine. */
export default defineConfig({
  test: { include: ['test/kernel/**/*.test.ts'], pool: 'forks', maxWorkers: 1 },
});
