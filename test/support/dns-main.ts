import { GatewayError } from '../../src/core/errors.ts';
import { DnsAccess } from '../../src/core/dns-config.ts';
import type { RecordSet } from '../../src/core/names.ts';
import { openDnsHost } from '../../src/system/dns/open.ts';

/** `dns-main.ts ZONE ACCESS SETS`: makes one change, and prints `done` or the error as JSON. */
const [zone = '', access = '', sets = ''] = process.argv.slice(2);
const signal = AbortSignal.timeout(15_000);
try {
  const host = await openDnsHost(zone, DnsAccess.parse(JSON.parse(access)));
  await host.replace(JSON.parse(sets) as RecordSet[], signal);
  process.stdout.write('done\n');
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  const { code, retry, message, hint } = error;
  process.stdout.write(`${JSON.stringify({ code, retry, message, hint })}\n`);
}
