import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolled } from '../../src/core/control.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import type { DeviceStatus } from '../../src/core/status.ts';
import { DOMAIN, PageLab } from '../support/page-lab.ts';

/** A page for devices alone: from two commands to a visitor elsewhere who gets in with the file that it fetched. */
const signal = AbortSignal.timeout(120_000);
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal);
}, 90_000);
afterAll(() => scene?.lab.stop());

/** At the visitor, who trusts the authority of the page: what comes back, and the status as the last line. */
async function curl(...words: string[]): Promise<string> {
  const argv = ['curl', '-sS', '--max-time', '8', '--cacert', scene.root, '-w', '\n%{http_code}'] as const;
  return (await scene.on('visitor', ...argv, ...words)).stdout;
}
const textOf = ({ handouts }: Enrolled, kind: string): string =>
  handouts.find((handout) => handout.kind === kind)?.text ?? '';

it('opens for a device that was added, is proved from outside, and says to others what to do', async () => {
  const options = ['--via', 'clearnet', '--domain', DOMAIN, '--access', 'devices'];
  const exposed = await scene.owner.type('expose', 'shop', ...options);
  expect([exposed.exitCode, exposed.stderr]).toEqual([0, expect.anything()]);
  expect(exposed.stdout).toContain(`https://${DOMAIN} is open: a TLS handshake with our certificate`);
  expect(await curl(`https://${DOMAIN}/`)).toMatch(/Only devices that were added[^]*\n403$/);

  const added = await scene.owner.json<Enrolled>('device', 'add', 'phone', '--service', 'shop');
  expect(added.handouts.map(({ kind }) => kind)).toEqual([
    'client-certificate-link',
    'client-certificate',
    'client-certificate-password',
    'link',
  ]);
  const link = textOf(added, 'client-certificate-link');
  expect(link).toMatch(new RegExp(`^https://${DOMAIN}/`));
  expect(await curl('-X', 'POST', '-o', '/run/phone.p12', link)).toMatch(/\n200$/);
  const client = ['--cert-type', 'P12', '--cert'];
  const password = textOf(added, 'client-certificate-password');
  const open = (): Promise<string> => curl(...client, `/run/phone.p12:${password}`, `https://${DOMAIN}/`);
  expect(await open()).toMatch(/The corner shop[^]*\n200$/);
  expect(await curl('-X', 'POST', link)).toMatch(/Used already[^]*\n410$/);
  const events = await scene.owner.json<JournalEvent[]>('events');
  expect(events.map(({ message }) => message)).toContain('phone fetched its certificate, from 11.5.0.2');
  const [device] = await scene.owner.json<DeviceStatus[]>('device', 'list');
  expect(device).toMatchObject({ name: 'phone', certificate: expect.stringMatching(/^[0-9a-f]{64}$/) });

  // Said again without its option the page does not open to everybody.
  await scene.demand('expose', 'shop', '--via', 'clearnet', '--domain', DOMAIN, '--no-wait');
  expect(await curl(`https://${DOMAIN}/`)).toMatch(/\n403$/);

  // The daemon is not needed by who has a certificate.
  for (const pid of await scene.owner.pidsOf('main.js .*daemon$')) await scene.owner.home('kill', '-9', pid);
  expect(await open()).toMatch(/\n200$/);
  const { changes } = await scene.owner.json<{ changes: string[] }>('up');
  expect(changes).toEqual([]);
  await scene.demand('device', 'revoke', 'phone');
  expect(await open()).toMatch(/Only devices that were added[^]*\n403$/);
}, 110_000);

it('writes the file where that is asked, and tells its password', async () => {
  const file = '/run/laptop.p12';
  const shown = await scene.demand('device', 'add', 'laptop', '--service', 'shop', '--p12', file);
  expect(shown).toContain(file);
  expect(shown).not.toContain('gateway-device');
  const [, password = ''] = /password, which the device asks for:\n\s+(\S+)/.exec(shown) ?? [];
  const argv = ['openssl', 'pkcs12', '-in', file, '-nokeys', '-passin', `pass:${password}`] as const;
  expect(await scene.owner.home(...argv)).toMatch(/subject=CN ?= ?laptop/);
}, 60_000);
