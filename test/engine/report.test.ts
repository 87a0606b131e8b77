import { expect, it } from 'vitest';
import { tor } from '../../providers/tor/index.ts';
import { wireguard } from '../../providers/wireguard/index.ts';
import type { Service } from '../../src/core/service.ts';
import { arrivalsAt, judgeListeners } from '../../src/engine/report.ts';

const shop = { name: 'shop', port: 80, place: { type: 'namespace', name: 'shop' } } as const;
const AT = ['10.64.1.2'];
const nas: Service = {
  ...shop,
  name: 'nas',
  kind: 'ssh',
  privacy: 'open',
  place: { type: 'host' },
  address: '10.64.1.3',
  dial: { host: '127.0.0.1', port: 80 },
};

it.each(['0.0.0.0', '*', '::', '10.64.1.2'])('is content with a service that listens on %s', (address) => {
  expect(judgeListeners(shop, AT, [{ address, port: 80 }]).status).toBe('yes');
});

it('names a service that listens on 127.0.0.1 only, and what to change', () => {
  const { status, message } = judgeListeners(shop, AT, [{ address: '127.0.0.1', port: 80 }]);
  expect(status).toBe('no');
  expect(message).toContain('127.0.0.1:80 only');
  expect(message).toContain('0.0.0.0');
});

it('says what listens elsewhere when the port of the config is silent', () => {
  expect(judgeListeners(shop, AT, [{ address: '0.0.0.0', port: 8080 }]).message).toContain('port 8080');
  expect(judgeListeners(shop, AT, []).message).toBe('nothing listens on port 80 of shop yet');
});

it.each([
  ['127.0.0.1', [tor], 'yes', ''],
  ['127.0.0.1', [tor, wireguard], 'no', 'visitors arrive at 10.64.1.3;'],
  ['10.64.1.3', [tor, wireguard], 'no', 'visitors arrive at 127.0.0.1;'],
  ['10.64.1.3', [wireguard], 'yes', ''],
  ['0.0.0.0', [tor, wireguard], 'yes', ''],
])('knows where visitors of a service on the host arrive: %s', (address, ways, status, part) => {
  const said = judgeListeners(nas, arrivalsAt(nas, ways), [{ address, port: 80 }]);
  expect(said.status).toBe(status);
  expect(said.message).toContain(part);
});

it('knows that the edge asks for a page of the host in place of devices, where the host itself does', () => {
  const page: Service = { ...nas, kind: 'http' };
  const at = (address: string) =>
    judgeListeners(page, arrivalsAt(page, [tor, wireguard]), [{ address, port: 80 }]).status;
  expect([at('127.0.0.1'), at('10.64.1.3'), at('0.0.0.0')]).toEqual(['yes', 'no', 'yes']);
});
