import { isIP } from 'node:net';
import { lookUp } from './lookup.ts';
import { readText } from './text.ts';

/**
 * An address of a host, by /etc/hosts and the machine's servers for names. Not by the C library: a question of its that
 * nobody answers occupies a thread for half a minute, and there are few.
 */
export async function addressOf(
  host: string,
  family: 4 | 6,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (isIP(host) === family) return host;
  const written = hostsOf((await readText('/etc/hosts')) ?? '', host).find(
    (address) => isIP(address) === family,
  );
  if (written !== undefined) return written;
  const looked = await lookUp(host, family, signal);
  return 'addresses' in looked ? looked.addresses[0] : undefined;
}

/** hosts(5) */
function hostsOf(text: string, host: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    return names.includes(host) ? [address] : [];
  });
}
