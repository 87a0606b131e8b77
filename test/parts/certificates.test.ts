import { expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { CertificateSpec } from '../../src/core/certificate.ts';
import type { CompileInput, Context, Part, Want } from '../../src/core/contract.ts';
import { parseConfig } from '../../src/core/config.ts';
import type { Certifier } from '../../src/core/certificate.ts';
import type { Helper } from '../../src/core/ports.ts';
import { pass } from '../../src/engine/reconciler.ts';
import { certificatesPart } from '../../src/parts/certificates/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { certificate } from '../support/recording-control.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const part = certificatesPart as Part;
const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

const want = (name: string, service: string, challenges: readonly ('dns-01' | 'http-01')[]): Want => ({
  part: 'certificates',
  name,
  service,
  challenges,
});

function compile(wants: readonly Want[], settings: unknown = {}) {
  const nothing = { services: [], exposures: [], devices: [], ledger: {} };
  const input: CompileInput = { network: NETWORK, ...nothing, wants, settings };
  return part.compile(input).resources;
}

it('one name has one certificate, however many services want it', () => {
  const wants = [want('a.test', 'wiki', ['http-01']), want('a.test', 'shop', ['dns-01'])];
  const authorities = [expect.objectContaining({ directory: LETS_ENCRYPT })];
  const spec = { name: 'a.test', challenges: ['dns-01', 'http-01'], authorities };
  expect(compile(wants)).toEqual([{ key: 'certificate:a.test', spec, neededBy: ['shop', 'wiki'] }]);
  expect(compile(wants.toReversed())).toEqual(compile(wants));
});

it('a wildcard stands for the pages one step below it, where the zone can prove it', () => {
  const names = ['a.shop.test', 'b.shop.test', 'shop.test', 'c.a.shop.test', '11.2.0.2'];
  const wants = names.map((name) => want(name, 'shop', ['dns-01', 'http-01']));
  const settings = { wildcards: ['*.shop.test'] };
  const found = compile([...wants, want('x.shop.test', 'wiki', ['http-01'])], settings);
  expect(found.map(({ key }) => key)).toEqual(
    ['*.shop.test', '11.2.0.2', 'c.a.shop.test', 'shop.test', 'x.shop.test'].map(
      (name) => `certificate:${name}`,
    ),
  );
  expect(found[0]).toMatchObject({ spec: { shownAt: ['a.shop.test', 'b.shop.test'] }, neededBy: ['shop'] });
  expect(found[1]?.spec).not.toHaveProperty('shownAt');
});

it('a wildcard needs its zone, and is a whole name', () => {
  const said = (wildcard: string): string[] => {
    const zones = 'zones: { shop.test: { host: command, command: /bin/true } }';
    const text = `dns: { ${zones} }\ncertificates: { wildcards: ['${wildcard}'] }`;
    return parseConfig(text, []).problems?.map(({ message }) => message) ?? [];
  };
  expect(said('*.shop.test')).toEqual([]);
  expect(said('*.eu.shop.test')).toEqual([]);
  expect(said('*.other.test')).toEqual([expect.stringContaining('*.other.test is in no zone of dns.zones')]);
  for (const wrong of ['shop.test', '*.test', '*.*.shop.test', '*.Shop.test']) {
    expect(said(wrong)).toEqual([expect.stringContaining('must be *. and a whole DNS name')]);
  }
});

it('an address is asked for with the profile that Let’s Encrypt has for addresses', () => {
  const [resource] = compile([want('11.2.0.2', 'shop', ['http-01'])]);
  expect(resource?.spec).toMatchObject({ authorities: [{ profile: 'shortlived' }] });
});

it('the certifier is told once, and again when the terms change or HAProxy has lost it', async () => {
  const told: string[] = [];
  const kept = new Map<string, CertificateSpec>();
  const certifier: Certifier = {
    keep: (spec) => {
      told.push(`keep ${spec.name}`);
      return Promise.resolve(void kept.set(spec.name, spec));
    },
    release: (name) => {
      told.push(`release ${name}`);
      return Promise.resolve(void kept.delete(name));
    },
    kept: () => Promise.resolve([...kept.values()].map((spec) => ({ spec, report: certificate(spec.name) }))),
    zoneBound: () => Promise.resolve(undefined),
    renew: () => Promise.resolve(),
  };
  const keys = createKeys({ directory: '/nonexistent', registry: memoryRegistry(), crypto: nodeCrypto });
  const shown = { fingerprint: certificate('a.test').fingerprint };
  const seen = () => {
    const certificates = [{ name: 'a.test', ...shown }];
    return Promise.resolve({ running: true, left: [], taken: [], certificates });
  };
  const helper = { call: seen as unknown as Helper['call'] };
  const ports = unavailablePorts({ keys, crypto: nodeCrypto, certifier, helper });
  const context: Context = { network: NETWORK, ports, signal: AbortSignal.timeout(5000) };
  const watcher = { applying: () => undefined, applied: () => undefined, failed: () => undefined };
  const up = (wants: readonly Want[], settings: unknown = {}) =>
    pass([part], new Map([['certificates', compile(wants, settings)]]), context, watcher);
  const wants = [want('a.test', 'shop', ['http-01'])];
  await up(wants);
  await up(wants);
  await up(wants, { ca: 'letsencrypt-staging' });
  expect(told).toEqual(['keep a.test', 'keep a.test']);
  // HAProxy shows another one, or none.
  shown.fingerprint = 'cd'.repeat(32);
  await up(wants, { ca: 'letsencrypt-staging' });
  await up([]);
  expect(told.slice(2)).toEqual(['keep a.test', 'release a.test']);
});

it.each([
  ['certificates: { ca: "http://acme.test/dir" }', 'https://'],
  ['certificates: { ca: nobody }', 'letsencrypt'],
  ['certificates: { eab: { kid: x, key: key } }', 'absolute path'],
  ['certificates: { email: nobody }', 'email'],
  ['certificates: { fallback: { profile: x } }', 'ca'],
  ['certificates: { profile: "a b" }', 'name of a profile'],
])('%s is refused', (text, said) => {
  const { problems } = parseConfig(text, []);
  expect(problems?.map(({ path, message }) => `${path} ${message}`).join()).toContain(said);
});
