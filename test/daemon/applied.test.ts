import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { wireguard } from '../../providers/wireguard/index.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { parseConfig } from '../../src/core/config.ts';
import type { Part, Provider } from '../../src/core/contract.ts';
import { compileDesired } from '../../src/core/desired.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Flow } from '../../src/core/operations.ts';
import { appliedOf } from '../../src/daemon/applied.ts';
import { checkPolicy } from '../../src/helper/policy.ts';
import { namespacesPart } from '../../src/parts/namespaces/index.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const NAMES = ['shop', 'wiki', 'nas', 'lnd'] as const;
const PROVIDERS = [wireguard] as unknown as readonly Provider[];
/** Who is exposed, and what each of two devices was given. */
const Some = fc.subarray([...NAMES]);
const World = fc.record({ exposed: Some, given: fc.tuple(Some, Some) });
type World = typeof World extends fc.Arbitrary<infer Value> ? Value : never;

function desiredOf({ exposed, given }: World) {
  const services = NAMES.map((name, index) => {
    const way = exposed.includes(name) ? 'wireguard: {}' : '';
    return `  ${name}: { port: ${8000 + index}, kind: tcp, expose: { ${way} } }\n`;
  });
  const text = `wireguard: { endpoint: 11.2.0.2:51820 }\nservices:\n${services.join('')}`;
  const { config } = parseConfig(text, PROVIDERS);
  if (config === undefined) throw new Error('the config is not valid');
  const devices = given.map((names, index) => ({
    name: `device-${index}`,
    services: names,
    publicKey: `${'AB'[index]}${'A'.repeat(42)}=`,
    addedAt: '2026-01-01T00:00:00Z',
  }));
  const parts = [namespacesPart] as unknown as readonly Part[];
  return compileDesired({ config, devices, ledger: {}, parts, providers: PROVIDERS, network: NETWORK });
}

const Flows = (spec: unknown): readonly Flow[] => (spec as { flows?: readonly Flow[] }).flows ?? [];

it('justifies exactly the ways that devices were given and that are open, whatever a daemon asks for', () => {
  const property = fc.property(World, (world) => {
    const desired = desiredOf(world);
    const applied = appliedOf(desired);
    const isDone = (flow: Flow): boolean => {
      try {
        checkPolicy('flows.replace', { network: NETWORK, flows: [flow] }, applied);
        return true;
      } catch (error) {
        if (error instanceof GatewayError && error.code === 'HelperRefused') return false;
        throw error;
      }
    };
    const compiled = (desired.resources.get('namespaces') ?? []).flatMap(({ spec }) => Flows(spec));
    expect(compiled.filter((flow) => !isDone(flow))).toEqual([]);
    const tried = applied.devices.flatMap(({ address: source }) =>
      desired.services.map(({ address, port }): Flow => {
        return { via: 'gwwg0', source, address, protocol: 'tcp', port };
      }),
    );
    expect(tried.filter(isDone).length).toBe(compiled.length);
    const wanted = world.given.flat().filter((name) => world.exposed.includes(name));
    expect(compiled.length).toBe(wanted.length);
  });
  fc.assert(property, { numRuns: 300 });
});
