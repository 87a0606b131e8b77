import { parseEndpoint } from '../../core/inet.ts';
import type { StunSeen } from '../../doctor/world.ts';
import { askStun } from '../stun.ts';
import { addressOf } from './host-address.ts';

/** Where a STUN server, `host:port`, sees this machine. */
export async function seenByStun(server: string, family: 4 | 6, signal: AbortSignal): Promise<StunSeen> {
  const endpoint = parseEndpoint(server);
  const host = endpoint === undefined ? undefined : await addressOf(endpoint.host, family, signal);
  if (endpoint === undefined || host === undefined) return { failure: 'name' };
  const answer = await askStun({ host, port: endpoint.port }, signal);
  return answer === undefined ? { failure: 'silent' } : { address: answer.mapped.host };
}
