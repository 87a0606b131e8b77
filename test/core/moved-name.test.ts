import { describe, expect, it } from 'vitest';
import { clearnet } from '../../providers/clearnet/index.ts';
import { relay } from '../../providers/relay/index.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { parseConfig } from '../../src/core/config.ts';
import type { Part, Provider } from '../../src/core/contract.ts';
import { compileDesired, type Desired } from '../../src/core/desired.ts';
import { recordsOf, type HomeName } from '../../src/core/names.ts';
import { certificatesPart } from '../../src/parts/certificates/index.ts';
import { dnsPart } from '../../src/parts/dns/index.ts';
import { edgePart } from '../../src/parts/edge/index.ts';

const PROVIDERS = [clearnet, relay] as unknown as Provider[];
const PARTS = [certificatesPart, dnsPart, edgePart] as unknown as Part[];
const RELAY = `relays:
  vps:
    address: 11.1.0.2:7443
    fingerprint: ${'A'.repeat(43)}
    home: 0123456789abcdef
    tunnel: { publicKey: '${'A'.repeat(43)}=', endpoints: ['11.1.0.2:51820'], address: 10.127.0.2, relayAddress: 10.127.0.1 }
`;
const ZONE = 'dns: { zones: { shop.test: { host: command, command: /bin/true } } }\n';

function compile(service: string, more = ''): Desired {
  const text = `${RELAY}${more}services: { shop: { port: 80, kind: http, ${service} } }`;
  const { config, problems } = parseConfig(text, PROVIDERS);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  const network = networkFor('gw', '10.64.0.0/20');
  return compileDesired({ config, devices: [], ledger: {}, parts: PARTS, providers: PROVIDERS, network });
}

const SAME = 'expose: { clearnet: { domain: pay.shop.test }, relay: { domain: pay.shop.test } }';
const accepted = ({ exposures }: Desired): string[] =>
  exposures.flatMap(({ provider, problem }) => (problem === undefined ? [provider] : []));
const names = ({ resources }: Desired): HomeName[] =>
  (resources.get('dns') ?? []).map(({ spec }) => spec as HomeName);

describe('one name under two ways in', () => {
  it('leads to the first choice alone where nobody can change its record', () => {
    const desired = compile(SAME);
    expect(desired.problems).toMatchObject([{ code: 'DnsCannotMove', service: 'shop' }]);
    expect(desired.problems[0]?.message).toContain('not exposed through relay');
    expect(accepted(desired)).toEqual(['clearnet']);
    expect(desired.resources.get('relay')).toEqual([]);
    expect([...desired.orders]).toEqual([['shop', ['clearnet']]]);
    expect(accepted(compile(`${SAME}, fallback: [relay, clearnet]`))).toEqual(['relay']);
  });

  it.each([
    ['two names', SAME.replace('relay: { domain: pay', 'relay: { domain: away'), ''],
    ['dns: both', `${SAME}, dns: both`, ''],
    ['a zone of ours', SAME, ZONE],
  ])('is no problem with %s', (_what, service, more) => {
    const desired = compile(service, more);
    expect(desired.problems).toEqual([]);
    expect(accepted(desired)).toEqual(['clearnet', 'relay']);
  });

  it('has one certificate, and one record: of both addresses with dns: both', () => {
    const desired = compile(`${SAME}, dns: both`, ZONE);
    const certificates = (desired.resources.get('certificates') ?? []).map(({ key }) => key);
    expect(certificates).toEqual(['certificate:pay.shop.test']);
    const [name, ...others] = names(desired);
    if (name === undefined) throw new Error('no name');
    expect(others).toEqual([]);
    expect(recordsOf(name, { ipv4: '11.2.0.2' })[0]?.values).toEqual(['11.2.0.2', '11.1.0.2']);
    expect(recordsOf(name, {})[0]?.values).toEqual([]);
  });
});
