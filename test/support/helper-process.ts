import { runHelper } from '../../src/helper/main.ts';
import { directoriesIn } from '../../src/system/directories.ts';

const ending = new AbortController();
process.on('SIGTERM', () => ending.abort());
await runHelper({
  directories: directoriesIn(process.argv[2]),
  signal: ending.signal,
  onReady: () => process.stdout.write(`${process.pid}\n`),
});
