import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CertifierLab, HOME } from '../support/certifier-lab.ts';

/** Pebble refuses every fifth nonce here. */
const signal = AbortSignal.timeout(110_000);
let certifier: CertifierLab;

beforeAll(async () => {
  certifier = await CertifierLab.start({ badNonces: 20 }, signal);
}, 60_000);
afterAll(() => certifier?.stop());

it('a name is proved by each challenge, a wildcard by DNS, an address without a name', async () => {
  const wanted = [
    certifier.spec('home.lab.test', ['http-01']),
    certifier.spec('a.home.lab.test', ['tls-alpn-01']),
    certifier.spec('*.home.lab.test', ['dns-01', 'http-01']),
    certifier.spec('b.home.lab.test', ['dns-01']),
    certifier.spec(HOME, ['http-01', 'tls-alpn-01']),
  ];
  const kill = await certifier.run(wanted);
  const states = () => certifier.seen().reports.map(({ name, state, challenge }) => [name, state, challenge]);
  await expect.poll(states, { timeout: 60_000 }).toEqual([
    ['home.lab.test', 'valid', 'http-01'],
    ['a.home.lab.test', 'valid', 'tls-alpn-01'],
    ['*.home.lab.test', 'valid', 'dns-01'],
    ['b.home.lab.test', 'valid', 'dns-01'],
    [HOME, 'valid', 'http-01'],
  ]);
  await expect.poll(() => certifier.seen().shown.length).toBe(5);
  expect(certifier.report('*.home.lab.test')?.names).toEqual(['*.home.lab.test']);
  expect(certifier.report(HOME)?.names).toEqual([HOME]);
  kill();
}, 90_000);

it('one whose key was lost is revoked by the account that ordered it, and another one has another key', async () => {
  const name = 'b.home.lab.test';
  const before = certifier.pem(name);
  const kill = await certifier.run([certifier.spec(name, ['dns-01'])], 0, name);
  const keyOf = (pem: string): string => pem.slice(pem.indexOf('-----BEGIN PRIVATE'));
  await expect.poll(() => keyOf(certifier.pem(name)), { timeout: 30_000 }).not.toBe(keyOf(before));
  kill();
  expect(await certifier.statusOf(before, signal)).toMatchObject({ Status: 'Revoked', Reason: 1 });
  expect(await certifier.statusOf(certifier.pem(name), signal)).toMatchObject({ Status: 'Valid' });
}, 60_000);

it('a certifier that is killed again and again while it orders places no order twice', async () => {
  const before = certifier.asked('/order-plz');
  const wanted = [certifier.spec('c.home.lab.test', ['http-01'])];
  for (let crash = 0; crash < 8; crash++) {
    const kill = await certifier.run(wanted);
    await sleep(350 + crash * 60);
    kill();
  }
  expect(certifier.asked('/order-plz') - before).toBeLessThanOrEqual(2);
  // Whatever was under way becomes a certificate once it may be tried again.
  const kill = await certifier.run(wanted, 3_600_000);
  await expect.poll(() => certifier.report('c.home.lab.test')?.state, { timeout: 20_000 }).toBe('valid');
  expect(certifier.asked('/order-plz') - before).toBeLessThanOrEqual(3);
  kill();
}, 60_000);
