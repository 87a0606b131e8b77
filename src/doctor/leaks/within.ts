import type { Visited } from '../world.ts';
import type { Door } from './seen.ts';

/** Where a redirect leads that stays at the same door: `/login`. Elsewhere nobody goes: it is only read. */
export function pathWithin({ host, port, isTls }: Door, { page }: Visited): string | undefined {
  if (page === undefined || page.status < 300 || page.status > 399) return undefined;
  const location = page.headers.find(([name]) => name === 'location')?.[1] ?? '';
  const door = new URL(`${isTls ? 'https' : 'http'}://${host}:${port}/`);
  const url = URL.canParse(location, door.href) ? new URL(location, door.href) : door;
  const path = url.pathname + url.search;
  return url.origin === door.origin && path !== '/' ? path : undefined;
}
