import type { MappingProtocol } from '../../src/core/mapping.ts';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';
import type { Figure } from './figure.ts';

/** What the router speaks, each alone and together. */
const ROUTERS: readonly (readonly MappingProtocol[])[] = [
  ['pcp', 'nat-pmp', 'upnp'],
  ['pcp'],
  ['nat-pmp'],
  ['upnp'],
];

/** A phone outside uses WireGuard through the router's mapping; then something happens. Seconds until it is served again. */
export async function* benchMappingServed(signal: AbortSignal): AsyncGenerator<Figure> {
  for (const protocols of ROUTERS) {
    const home = await startMappingHome(protocols, signal);
    try {
      await home.enrol();
      await home.served();
      for (const [what, happen] of Object.entries(EVENTS)) {
        const value = await happen(home, signal);
        yield { what: `${protocols.join('+')}: ${what}`, value, unit: 's', goal: 'reported' };
      }
    } finally {
      await home.lab.stop();
    }
  }
}

const EVENTS: Readonly<Record<string, (home: MappingHome, signal: AbortSignal) => Promise<number>>> = {
  'router restarts and forgets': async (home, signal) => {
    await home.lab.node('router').cut();
    await home.lab.boot('router', signal);
    return home.served(120);
  },
  'router off while the daemon starts': async (home, signal) => {
    await killDaemon(home);
    await home.lab.node('router').cut();
    await home.owner.type('up');
    await home.lab.boot('router', signal);
    return home.served(120);
  },
};

async function killDaemon({ owner }: MappingHome): Promise<void> {
  const [pid = ''] = await owner.pidsOf('main.js daemon');
  await owner.home('kill', '-9', pid);
}
