import { isInCidr } from '../core/inet.ts';
import type { EdgeDoor, EdgeSpec } from '../core/operations.ts';
import { servicePages } from './edge-pages.ts';

/** The way on to a page that is asked for by other names than those of the web. */
export function pageLines(
  { service, to, backend }: Pick<EdgeDoor, 'service' | 'to' | 'backend'>,
  { pool, source }: Pick<EdgeSpec, 'pool' | 'source'>,
): string[] {
  const host = to.host.includes(':') ? `ipv6@[${to.host}]` : `ipv4@${to.host}`;
  const words = [
    `${host}:${to.port}`,
    ...(isInCidr(to.host, pool) ? [`source ${source}`] : []),
    ...(backend === 'h2c' ? ['proto h2'] : []),
  ];
  return [
    '',
    `backend page.${service}`,
    '    mode http',
    '    timeout server 1h',
    '    timeout tunnel 24h',
    ...servicePages(),
    `    server target ${words.join(' ')}`,
  ];
}
