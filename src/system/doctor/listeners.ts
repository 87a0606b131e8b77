import type { Listener } from '../../doctor/world.ts';
import { printed } from './printed.ts';

/** ss(8) tells other users' programs to root alone. */
export async function listeners(signal: AbortSignal): Promise<Listener[] | undefined> {
  const shown = await printed(['ss', '-H', '-l', '-t', '-u', '-n', '-p'], signal);
  return shown?.exitCode === 0 ? shown.stdout.split('\n').flatMap(listenerOf) : undefined;
}

/** `tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=42,fd=6))` */
function listenerOf(line: string): Listener[] {
  const [transport, , , , local = ''] = line.trim().split(/\s+/);
  const [, address, port] = /^(.*):(\d+)$/.exec(local) ?? [];
  if ((transport !== 'tcp' && transport !== 'udp') || address === undefined) return [];
  const program = /\(\("([^"]*)"/.exec(line)?.[1];
  const bare = address.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  return [{ transport, address: bare === '*' ? '::' : bare, port: Number(port), program }];
}
