import type { Carrier, KeptCarry } from '../../src/core/carrier.ts';

/** Relays that grant everything, and remember it; nobody is there to be visited. */
export function memoryCarrier(): Carrier {
  const kept = new Map<string, KeptCarry>();
  return {
    kept: () => Promise.resolve([...kept.values()]),
    carry: (relay, asked) => {
      const said = {
        names: asked.names.map((name) => ({ name, granted: true })),
        ports: asked.ports.map((port) => ({ ...port, granted: true })),
        devicesPort: null,
      };
      kept.set(relay, { relay, asked, said });
      return Promise.resolve();
    },
    release: (relay) => {
      kept.delete(relay);
      return Promise.resolve();
    },
    visit: () => Promise.resolve({ outcome: 'failed', answer: new Uint8Array() }),
  };
}
