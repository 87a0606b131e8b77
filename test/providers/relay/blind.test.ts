import { afterEach, beforeEach, expect, it } from 'vitest';
import { blindFacts } from '../../../providers/relay/blind.ts';
import { KeeperScene, SHOP } from '../../support/keeper.ts';

/** Whether a relay could obtain a certificate, from an account at a real authority to the sentence in the status. */
let scene: KeeperScene;
beforeEach(() => {
  scene = new KeeperScene();
});
afterEach(() => scene.close());

const facts = () =>
  blindFacts(SHOP, 'vps', { ports: { certifier: scene.keeper } as never, signal: AbortSignal.timeout(5000) });

it('says that the relay could impersonate, with the record that ends it, until DNS shows that record', async () => {
  expect(await facts()).toEqual({});
  const server = await scene.authority();
  await scene.keep([scene.termsOf(server)]);
  await scene.work();
  const { blind, warning = '' } = await facts();
  expect(blind).toBe('relay could impersonate');
  const said =
    /publish: pay\.shop\.test\. CAA 0 issue "(acme\.test; accounturi=\S+; validationmethods=dns-01)"$/;
  expect(warning).toMatch(said);
  const value = said.exec(warning)?.[1] ?? '';
  scene.records = [{ tag: 'issue', value }];
  expect((await facts()).blind).toBe('relay could impersonate');
  // DNS is not asked each second.
  scene.nowMs += 61_000;
  expect(await facts()).toEqual({ blind: 'blind: proved' });
  scene.records = [{ tag: 'issue', value: value.replace('dns-01', 'dns-01,http-01') }];
  scene.nowMs += 61_000;
  expect((await facts()).blind).toBe('relay could impersonate');
});
