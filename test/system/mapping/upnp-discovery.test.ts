import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTERS } from '../../fixtures/routers.ts';
import type { Step } from '../../support/fake-router/client-main.ts';
import { FakeHome, HOME, OPEN, type Router } from '../../support/fake-router/lab.ts';

/** Our driver against routers that misbehave; each test says what the person at home notices, or does not notice. */
let home: FakeHome;
beforeAll(async () => {
  home = await FakeHome.start();
});
afterAll(() => home[Symbol.asyncDispose]());

const OPEN_HERE = { ...OPEN, internalAddress: HOME };
const play = (router: Router, ...steps: Step[]) => home.play(ROUTERS[router], ...steps);

describe('a port is open all the same', () => {
  it.each([
    'er605',
    'eero',
    'groupOnly',
    'snooping',
    'sagemcom',
    'otherHost',
    'huawei',
    'mikrotik',
    'late',
    'noLength',
    'longLength',
    'shortLength',
    'chunked',
    'notChunked',
    'sloppyXml',
    'movedDescription',
    'comcast',
    'tellsNoLease',
    'noReadBack',
  ] satisfies Router[])('%s', async (router) => {
    const [lease] = await play(router, { map: {} });
    expect(lease).toMatchObject(OPEN_HERE);
  });
});
