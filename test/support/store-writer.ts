import { openStore } from '../../src/system/store/index.ts';

/**
 * A child process that writes until it is killed, and says each change once it was acknowledged. Every change touches
 * ledger, device and key at once, so that a mixture of two would be seen.
 */
const [database = '', snapshot = ''] = process.argv.slice(2);
const store = openStore({ database, snapshot });
let n = Number(store.ledger()['test']?.['n'] ?? 0);
process.stdout.write(`${JSON.stringify({ recovered: store.recovered, n })}\n`);
for (;;) {
  n += 1;
  await store.commit({
    ledger: { test: { n } },
    putDevices: [{ name: 'phone', services: [String(n)], publicKey: 'k', addedAt: 't' }],
    rememberKeys: { key: String(n) },
  });
  process.stdout.write(`${n}\n`);
}
