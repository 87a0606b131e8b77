import { z } from 'zod';
import type { Address, Change, Observed, Provider } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';

/** What survives the provider: the "machine". Give the same one to a second instance to rehearse a restart. */
export interface MemoryWorld {
  readonly entries: Map<string, MemorySpec>;
  /** Made by somebody else; must stay as it is. */
  readonly strangers: Set<string>;
}

export interface MemorySpec {
  readonly service: string;
  readonly address: string;
  readonly port: number;
}

export function memoryWorld(): MemoryWorld {
  return { entries: new Map(), strangers: new Set() };
}

const Options = z.strictObject({});
const Settings = z.strictObject({});

/**
 * The reference provider: the smallest that passes the conformance suite. Copy it to begin a new one.
 * Every effect goes through `ports.helper` in a real provider; here the world is a map, and `crypto.random` stands for
 * the effect that may fail.
 */
export function memoryProvider(world: MemoryWorld): Provider<MemorySpec> {
  return {
    id: 'memory',
    title: 'Memory',
    kinds: ['door'],
    capabilities: {
      network: 'onion',
      needsPublicAddress: false,
      needsOpenPort: false,
      worksBehindCgnat: true,
      perDeviceCredentials: false,
      canBeFallback: true,
      showsHomeAddress: false,
      showsPublicName: false,
    },
    options: Options,
    settings: Settings,
    compile({ exposures, ledger }) {
      const resources = exposures.map(({ service }) => ({
        key: `door:${service.name}` as const,
        spec: { service: service.name, address: service.address, port: service.port },
        neededBy: [service.name],
      }));
      return { resources, wants: [], problems: [], ledger };
    },
    observe: ({ signal }) => {
      refuseAborted(signal);
      const found = [...world.entries].map(([name, spec]): Observed<MemorySpec> => ({
        key: `door:${name}`,
        spec,
        facts: { open: true },
      }));
      return Promise.resolve(found);
    },
    apply: async (change, { ports, signal }) => {
      refuseAborted(signal);
      ports.crypto.random(1);
      if (change.op === 'delete') world.entries.delete(change.have.spec.service);
      else world.entries.set(change.want.spec.service, change.want.spec);
      return Promise.resolve();
    },
    describe,
    addresses: (exposure, observed) => addressesOf(exposure.service.name, observed),
    published: (exposure, observed) =>
      addressesOf(exposure.service.name, observed).length > 0
        ? { status: 'yes', reason: 'Open', message: 'the door is open' }
        : { status: 'unknown', reason: 'Closed', message: 'the door is not open yet' },
    reach: () =>
      Promise.resolve({ reachable: 'unknown', vantage: 'none', detail: 'nobody can walk through a map' }),
    handouts: (exposure, observed) =>
      addressesOf(exposure.service.name, observed).map(({ url }) => ({
        kind: 'link',
        label: exposure.service.name,
        file: `${exposure.service.name}.txt`,
        secret: false,
        text: url,
      })),
    close: () => Promise.resolve(),
  };
}

function describe(change: Change<MemorySpec>): string {
  const verb = { create: 'open', update: 'move', delete: 'close' }[change.op];
  const spec = change.op === 'delete' ? change.have.spec : change.want.spec;
  return `${verb} the door of ${spec.service} at ${spec.address}:${spec.port}`;
}

function addressesOf(service: string, observed: readonly Observed<MemorySpec>[]): Address[] {
  return observed
    .filter(({ spec }) => spec.service === service)
    .map(({ spec }) => ({ url: `memory://${spec.address}:${spec.port}`, network: 'onion', clientNeeds: [] }));
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new GatewayError('cancelled', { code: 'Aborted', retry: 'never' });
}
