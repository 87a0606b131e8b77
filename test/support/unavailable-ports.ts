import { NOTHING_UPLOADED } from '../../src/core/descriptor.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Ports, TorPort } from '../../src/core/ports.ts';
import { memoryMapper } from './memory-mapper.ts';

const noExits = () => Promise.resolve({ reachable: 'unknown', detail: 'no Tor', visits: [] } as const);

/** Ports that are given, and for the rest ones that fail as they would on a machine without them. */
export function unavailablePorts(given: Pick<Ports, 'keys' | 'crypto'> & Partial<Ports>): Ports {
  const gone = (what: string) => (): never => {
    throw new GatewayError(`${what} is not here`, { code: 'NotSupported' });
  };
  const tor: TorPort = {
    command: gone('tor'),
    uploads: () => NOTHING_UPLOADED,
    expectUpload: () => undefined,
    visit: gone('tor'),
    visitPage: gone('tor'),
    close: () => Promise.resolve(),
  };
  return {
    now: Date.now,
    helper: { call: gone('the helper') },
    tor: { tor, 'tor-only': tor, 'single-hop': tor },
    exits: { probeTcp: noExits, probeTls: noExits },
    vantages: { dialBack: () => Promise.resolve({ status: 'none' }) },
    resolve: () => Promise.resolve(undefined),
    home: { addresses: () => [], cameIn: () => undefined },
    names: {
      kept: () => Promise.resolve([]),
      publish: gone('a host of names'),
      withdraw: gone('a host of names'),
    },
    mapper: memoryMapper(),
    certifier: {
      kept: () => Promise.resolve([]),
      zoneBound: () => Promise.resolve(undefined),
      keep: gone('a certificate authority'),
      release: gone('a certificate authority'),
      renew: gone('a certificate authority'),
    },
    carrier: {
      kept: () => Promise.resolve([]),
      carry: gone('a relay'),
      release: gone('a relay'),
      visit: () => Promise.resolve({ outcome: 'failed', answer: new Uint8Array() }),
    },
    log: () => undefined,
    ...given,
  };
}
