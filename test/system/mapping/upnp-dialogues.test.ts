import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROUTERS } from '../../fixtures/routers.ts';

it('every dialogue of a router is played by a test', () => {
  const played = readdirSync(import.meta.dirname)
    .filter((file) => file.startsWith('upnp-'))
    .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
    .join('\n');
  const isPlayed = (router: string): boolean => new RegExp(`['.]${router}['",)]`).test(played);
  expect(Object.keys(ROUTERS).filter((router) => !isPlayed(router))).toEqual([]);
});
