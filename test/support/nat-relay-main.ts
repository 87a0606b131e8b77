/** A relay that helps to find NATs, on a node of a lab. Arguments: its directory, its addresses. */
import { runRelay } from '../../src/relay/main.ts';

const [directory = '', ...addresses] = process.argv.slice(2);
await runRelay(
  {
    directory,
    addresses,
    port: 7443,
    version: 'test',
    log: (level, message, fields) =>
      process.stdout.write(`${level} ${message} ${JSON.stringify(fields ?? {})}\n`),
    signal: new AbortController().signal,
  },
  ({ fingerprint }) => process.stdout.write(`fingerprint=${fingerprint}\n`),
);
