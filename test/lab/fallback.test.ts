import { existsSync } from 'node:fs';
import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FallbackStatus, Status } from '../../src/core/status.ts';
import { isUp } from '../support/owner.ts';
import { PageLab, TOR_NETWORK } from '../support/page-lab.ts';

/** The page at a public name goes dark: its onion, warm all along, is what people are told. The way back takes half a minute: test/soak. */
const signal = AbortSignal.timeout(200_000);
const SHUT =
  'table inet shut { chain forward { type filter hook forward priority -5; iifname "uplink" tcp dport 443 drop; }; }';
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal, {
    shop: 'port: 80, kind: http, expose: { tor: {} }',
    world: TOR_NETWORK,
  });
  await tellMe();
  await scene.expose();
  await scene.owner.until('the page is open', isUp('shop', 'clearnet'));
  await scene.owner.until('the onion is open', isUp('shop', 'tor'));
}, 90_000);
afterAll(() => scene?.lab.stop());

const told = (): string => join(scene.owner.gateway.root, 'told', 'lines');

/** A program of the owner's that is told what is wrong. */
async function tellMe(): Promise<void> {
  const { root } = scene.owner.gateway;
  const [folder, program] = [join(root, 'told'), join(root, 'tell')];
  await mkdir(folder);
  // The daemon has a user of its own where the lab can change users.
  await chmod(folder, 0o777);
  await writeFile(program, `#!/bin/sh\ncat >> ${told()}\n`, { mode: 0o755 });
  const file = scene.owner.file('etc', 'gateway.yaml');
  await appendFile(
    file,
    `notify: { to: [{ by: command, path: ${program} }] }\nmetrics: { listen: 127.0.0.1:9469 }\n`,
  );
}

const fallbackOf = ({ services }: Status): FallbackStatus | null | undefined => services[0]?.fallback;
const until = async (what: string, isDone: (fallback: FallbackStatus) => boolean) => {
  const isSo = (status: Status): boolean => {
    const fallback = fallbackOf(status);
    return fallback != null && isDone(fallback);
  };
  return fallbackOf(await scene.owner.until(what, isSo, 60_000));
};
const nft = (input: string) => scene.lab.node('router').run(['nft', '-f', '-'], { signal, input });

it('has the page in use, and its onion ready', async () => {
  const status = await scene.owner.gateway.status(signal);
  expect(fallbackOf(status)).toMatchObject({
    order: ['clearnet', 'tor'],
    way: 'clearnet',
    isFallback: false,
    advertised: ['clearnet'],
  });
  const { stdout, stderr } = await scene.owner.type('qr', 'shop');
  expect(stdout).toContain('https://pay.shop.test');
  expect(stdout + stderr).not.toContain('.onion');
});

it('tells the onion instead when nobody gets in any more, and why', async () => {
  await nft(SHUT);
  const fallback = await until('the onion takes over', ({ isFallback }) => isFallback);
  expect(fallback).toMatchObject({ way: 'tor', advertised: ['tor'] });
  expect(fallback?.why).toContain('TCP 11.2.0.2:443 does not answer, says the relay vps');
  const { stdout, stderr } = await scene.owner.type('qr', 'shop');
  expect(stdout).toMatch(/http:\/\/[a-z2-7]{56}\.onion/);
  expect(stderr).toContain('! tor took over, until clearnet works again: clearnet: TCP 11.2.0.2:443');
  expect((await scene.owner.type('status')).stdout).toMatch(/shop +fallback +tor /);
  const events = (await scene.owner.type('events', '--since', '5m')).stdout;
  expect(events).toMatch(/fallback\.engaged +shop: tor takes over from clearnet; clearnet: TCP/);
  const metrics = await scene.owner.home('curl', '-sS', 'http://127.0.0.1:9469/metrics');
  expect(metrics).toContain('\ngateway_fallback{service="shop"} 1\n');
  const lines = async (): Promise<string> => (existsSync(told()) ? readFile(told(), 'utf8') : '');
  await expect.poll(lines, { timeout: 20_000 }).toContain('"text":"shop: tor took over"');
  // No name and no address of the home unless the owner asks for them.
  expect(await lines()).not.toMatch(/pay\.shop\.test|11\.2\.0\.2|onion/);
}, 90_000);
