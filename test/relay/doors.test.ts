import { expect, it } from 'vitest';
import { mapCommands, namesOf, parseShownMap, renderDoors } from '../../src/relay/root/doors.ts';
import { renderRules } from '../../src/relay/root/rules.ts';
import type { Holding, RelayGround } from '../../src/relay/state.ts';

const ground: RelayGround = {
  publicKey: `${'R'.repeat(42)}E=`,
  block: '10.127.16.0/20',
  block6: 'fd12:3456:789a::/64',
  wireguardPort: 51_820,
  tlsPort: 443,
  httpPort: 80,
  mtu: 1420,
};
const holding: Holding = {
  home: 'a'.repeat(16),
  publicKey: `${'a'.repeat(42)}E=`,
  number: 2,
  names: ['pay.example.com'],
  ports: [{ protocol: 'tcp', from: 9735, to: 9735 }],
  devicesPort: 51_821,
};
const doors = (more: object = {}) =>
  renderDoors({
    addresses: ['11.1.0.2', '2b00:1::2'],
    ground,
    other: undefined,
    controlSocket: '/run/x.sock',
    ...more,
  }).text;

it('changes as few names as it can, and none that stays', () => {
  const before = parseShownMap('0x5f a.test 10.127.16.2\n0x60 b.test 10.127.16.2\n\n');
  const after = new Map([
    ['a.test', '10.127.16.2'],
    ['b.test', '10.127.16.3'],
    ['c.test', '10.127.16.3'],
  ]);
  expect(mapCommands(before, after)).toEqual([
    'del map names.map b.test',
    'add map names.map b.test 10.127.16.3',
    'add map names.map c.test 10.127.16.3',
  ]);
  expect(mapCommands(after, after)).toEqual([]);
  expect([...namesOf(ground, [holding])]).toEqual([['pay.example.com', '10.127.16.2']]);
});

it('hands other names to the web server of the machine, when there is one', () => {
  expect(doors()).toContain('use-service lua.refuse unless');
  const behind = doors({ other: '127.0.0.1:8443' });
  expect(behind).toContain('use_backend other unless { var(sess.home) -m found }');
  expect(behind).toContain('    server other 127.0.0.1:8443');
  expect(behind).not.toContain('use-service');
});

it('listens on each address, and not for plain HTTP where it is told so', () => {
  expect(doors()).toContain('    bind [2b00:1::2]:443\n');
  expect(doors({ ground: { tlsPort: 8443, httpPort: null } })).not.toContain('frontend http');
});

it('loads the table anew only when the relay itself changed, not for a home', () => {
  const none = renderRules(ground, true, []);
  const one = renderRules(ground, true, [holding]);
  expect(one.base).toBe(none.base);
  expect(one.elements).toContain('ports4 { tcp . 9735-9735 : 10.127.16.2 }');
  expect(one.elements).toContain('devices6 { 51821 : fd12:3456:789a::2 }');
  expect(none.elements).not.toContain('add element');
  expect(renderRules(ground, false, []).hash).not.toBe(none.hash);
  expect(none.base).toContain('policy drop');
});
