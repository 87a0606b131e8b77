import { expect, it } from 'vitest';
import type { TorrcSpec } from '../../src/core/operations.ts';
import {
  hashOfContact,
  parseTorrc,
  renderTorrc,
  withoutComments,
  type TorrcPlace,
} from '../../src/helper/torrc.ts';

const PLACE: TorrcPlace = {
  dataDirectory: '/lib/tor/data',
  pidFile: '/run/tor/pid',
  controlSocket: '/run/tor/control.sock',
  socksSocket: '/run/tor/socks.sock',
  onionDirectory: (service) => `/lib/tor/onions/${service}`,
  doorOf: (service) => `/run/onions/tor/${service}`,
  hasProofOfWork: true,
  wayOut: { trans: 9040, dns: 9053 },
};
const asked = (...hosts: string[]): TorrcSpec => ({
  source: '10.64.0.3',
  pool: '10.64.0.0/20',
  onions: hosts.map((host, index) => ({
    service: `s${index}`,
    virtualPort: 80,
    target: { host, port: 8080 },
    proofOfWork: true,
  })),
});

it('reads back what was asked for and what was left out', () => {
  const spec = asked('10.64.1.2', '10.64.1.3');
  const left = [{ service: 's1', reason: 'damaged\nHiddenServiceDir /etc' }];
  const text = renderTorrc(spec, left, ['UseBridges 1'], PLACE);
  expect(parseTorrc(text)).toMatchObject({ asked: spec, left });
  expect(text).toContain('HiddenServiceDir "/lib/tor/onions/s0"');
  expect(text).not.toContain('onions/s1"');
  expect(text).not.toMatch(/^HiddenServiceDir \/etc/m);
});

it('carries a hash of itself, which changes with every line and which tor gives back', () => {
  const texts = [
    renderTorrc(asked('10.64.1.2'), [], [], PLACE),
    renderTorrc(asked('10.64.1.3'), [], [], PLACE),
    renderTorrc(asked('10.64.1.2'), [], ['UseBridges 1'], PLACE),
  ];
  const hashes = texts.map((text) => parseTorrc(text)?.hash);
  expect(new Set(hashes).size).toBe(3);
  const [, contact] = /^ContactInfo (.*)$/m.exec(texts[0] ?? '') ?? [];
  expect(hashOfContact(contact ?? '')).toBe(hashes[0]);
  expect(hashOfContact('mail@example.org')).toBeUndefined();
});

it('leads visitors of a page to HAProxy with a name for their circuit, or straight where HAProxy is not', () => {
  const whole = asked('192.168.1.20', '10.64.1.3');
  const [page, other] = whole.onions;
  if (page === undefined || other === undefined) throw new Error('there are two');
  const spec: TorrcSpec = { ...whole, onions: [{ ...page, through: 'edge' }, other] };
  const text = renderTorrc(spec, [], [], PLACE);
  expect(text).toContain(
    'HiddenServicePort 80 unix:"/run/onions/tor/s0"\nHiddenServiceExportCircuitID haproxy\n',
  );
  expect(text).toContain('HiddenServicePort 80 10.64.1.3:8080\n');
  expect(text.match(/ExportCircuitID/g)).toHaveLength(1);
  // tor itself dials nothing outside of the pool then.
  expect(text).toContain('OutboundBindAddressExit 10.64.0.3');
  const without = renderTorrc(spec, [], [], { ...PLACE, doorOf: () => undefined });
  expect(without).toContain('HiddenServicePort 80 192.168.1.20:8080\n');
  expect(without).not.toMatch(/ExportCircuitID|OutboundBindAddressExit/);
});

it('binds tor to its own address, unless a target is outside pool and machine', () => {
  const binds = (...hosts: string[]): boolean =>
    renderTorrc(asked(...hosts), [], [], PLACE).includes('OutboundBindAddressExit 10.64.0.3');
  expect(binds('10.64.1.2', '127.0.0.1')).toBe(true);
  expect(binds('10.64.1.2', '192.168.1.20')).toBe(false);
});

it('defends by puzzles or by a limit, never by both, and only by what this tor was built with', () => {
  const [pow, limit] = ['HiddenServicePoWDefensesEnabled 1', 'HiddenServiceEnableIntroDoSDefense 1'];
  const spec = asked('10.64.1.2');
  const off = { ...spec, onions: spec.onions.map((onion) => ({ ...onion, proofOfWork: false })) };
  const has = (text: string): boolean[] => [text.includes(pow), text.includes(limit)];
  expect(has(renderTorrc(spec, [], [], PLACE))).toEqual([true, false]);
  expect(has(renderTorrc(off, [], [], PLACE))).toEqual([false, true]);
  expect(has(renderTorrc(spec, [], [], { ...PLACE, hasProofOfWork: false }))).toEqual([false, true]);
});

it('takes what services send out only when some do, and keeps them apart', () => {
  const text = renderTorrc({ ...asked('10.64.1.2'), isWayOut: true }, [], [], PLACE);
  expect(text).toContain(
    'TransPort 10.64.0.3:9040 IsolateClientAddr\nDNSPort 10.64.0.3:9053 IsolateClientAddr\n',
  );
  expect(parseTorrc(text)?.asked.isWayOut).toBe(true);
  expect(renderTorrc(asked('10.64.1.2'), [], [], PLACE)).not.toMatch(/TransPort|DNSPort/);
});

it('gives the control port no comments, and brackets to IPv6', () => {
  const text = renderTorrc(asked('fd00::2'), [], [], PLACE);
  expect(text).toContain('HiddenServicePort 80 [fd00::2]:8080');
  expect(withoutComments(text)).not.toContain('#');
});

it('takes a file that is not ours for nothing', () => {
  expect(parseTorrc('SocksPort 9050\n')).toBeUndefined();
  expect(parseTorrc('# asked: {"onions":[\n')).toBeUndefined();
  expect(parseTorrc('# asked: {}\n')).toBeUndefined();
});
