import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EdgeTunnel } from '../../src/core/operations.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { selfSigned, SHOP, startWebLabWith, WIKI, type WebLab } from '../support/web-lab.ts';

/** The edge's door for one relay: who may knock, whom it believes, and what it answers for. */
const EDGE = '10.64.0.2';
const HUB = '10.64.0.1';
const DOOR: EdgeTunnel = { number: 0, from: HUB, https: 7600, http: 7601, domains: [WIKI.domain] };
const SITES = [SHOP, { ...WIKI, only: 'relay' as const }];

let lab: WebLab;

beforeAll(async () => {
  lab = await startWebLabWith(SHOP, WIKI);
  await lab.up(SITES, undefined, [DOOR]);
  for (const name of [SHOP.domain, WIKI.domain]) await lab.give(name, (await selfSigned([name])).pem);
}, 30_000);
afterAll(() => lab.stop());

/** curl's own PROXY header names the end of its own connection. */
async function knock(where: 'hub' | 'host', name: string, ...more: string[]): Promise<string> {
  const place = where === 'hub' ? ['nsenter', '--net=/run/netns/gw-hub'] : ['env'];
  const resolve = ['--resolve', `${name}:7600:${EDGE}`, '--resolve', `${name}:7601:${EDGE}`];
  const argv = [...place, 'curl', '-sSk', '--max-time', '3', ...resolve, ...more];
  return lab.machine.sh(...(argv as [string, ...string[]])).catch((error: unknown) => {
    if (error instanceof GatewayError && error.code === 'CommandFailed') return 'refused';
    throw error;
  });
}

const proxied = '--haproxy-protocol';

describe('the door for a relay', () => {
  it('brings visitors of its names to their service, as the relay names them', async () => {
    const page = await knock('hub', WIKI.domain, proxied, `https://${WIKI.domain}:7600/`);
    expect(page).toContain('wiki + 0 bytes');
    expect(page).toMatch(new RegExp(`^x-forwarded-for: ${HUB}`, 'im'));
    const plain = await knock('hub', WIKI.domain, proxied, '-D', '-', `http://${WIKI.domain}:7601/a`);
    expect(plain).toContain(`location: https://${WIKI.domain}/a`);
  });

  it('answers for no other name, though this machine has it', async () => {
    expect(await knock('hub', SHOP.domain, proxied, `https://${SHOP.domain}:7600/`)).toBe('refused');
    const plain = await knock('hub', SHOP.domain, proxied, '-D', '-', `http://${SHOP.domain}:7601/`);
    expect(plain).toMatch(/^HTTP\/1\.1 404/);
  });

  it('opens to the hub alone, and to nobody who does not say who comes', async () => {
    expect(await knock('host', WIKI.domain, proxied, `https://${WIKI.domain}:7600/`)).toBe('refused');
    expect(await knock('hub', WIKI.domain, `https://${WIKI.domain}:7600/`)).toBe('refused');
  });
});

describe('a name that relays alone carry', () => {
  it('is not answered for at the ports of this machine, by TLS or without', async () => {
    const get = (name: string): string => `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
    expect((await lab.visit({ sni: SHOP.domain, send: [get(SHOP.domain)] })).answer).toContain(
      'shop + 0 bytes',
    );
    const hidden = await lab.visit({ sni: WIKI.domain, send: [get(WIKI.domain)] });
    expect([hidden.answer, hidden.fingerprint]).not.toContain('wiki');
    expect(hidden.fingerprint ?? '').toBe('');
    expect((await lab.visit({ send: [get(WIKI.domain)] })).answer).toMatch(/^HTTP\/1\.1 404/);
  });

  it('is answered for there once it is a page of the home too, and a relay is told of a name more', async () => {
    await lab.up([SHOP, WIKI], undefined, [{ ...DOOR, domains: [SHOP.domain, WIKI.domain] }]);
    const get = `GET / HTTP/1.1\r\nHost: ${WIKI.domain}\r\nConnection: close\r\n\r\n`;
    expect((await lab.visit({ sni: WIKI.domain, send: [get] })).answer).toContain('wiki + 0 bytes');
    const page = await knock('hub', SHOP.domain, proxied, `https://${SHOP.domain}:7600/`);
    expect(page).toContain('shop + 0 bytes');
    await lab.up(SITES, undefined, [DOOR]);
    expect((await lab.visit({ sni: WIKI.domain, send: [get] })).answer).not.toContain('wiki');
    expect(await knock('hub', SHOP.domain, proxied, `https://${SHOP.domain}:7600/`)).toBe('refused');
  });
});
