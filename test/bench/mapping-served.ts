import type { MappingProtocol } from '../../src/core/mapping.ts';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';
import { secondsOf, type Figure } from './figure.ts';

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
  'daemon killed, mapping gone, daemon started': async (home) => {
    await killDaemon(home);
    await forget(home);
    return secondsOf(async () => {
      await home.owner.type('up');
      await home.served(120);
    });
  },
  'router off while the daemon starts': async (home, signal) => {
    await killDaemon(home);
    await home.lab.node('router').cut();
    await home.owner.type('up');
    await home.lab.boot('router', signal);
    return home.served(120);
  },
  'address outside changes, known': async (home, signal) => {
    const change = ['addr', 'replace', '11.2.0.3/24', 'dev', 'uplink'] as const;
    await home.lab.node('router').run(['ip', ...change], { signal });
    await home.lab.node('router').run(['ip', 'addr', 'del', '11.2.0.2/24', 'dev', 'uplink'], { signal });
    await home.lab.node('router').run(['ip', 'route', 'replace', 'default', 'via', '11.2.0.1'], { signal });
    return secondsOf(async () => {
      const isKnown = async (): Promise<boolean> =>
        (await home.ports()).mappings[0]?.externalAddress === '11.2.0.3';
      while (!(await isKnown())) signal.throwIfAborted();
    });
  },
};

async function killDaemon({ owner }: MappingHome): Promise<void> {
  const [pid = ''] = await owner.pidsOf('main.js daemon');
  await owner.home('kill', '-9', pid);
}

/** As a router does whose lease ended: nobody tells anybody. */
async function forget({ lab }: MappingHome): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  const chain = ['flush', 'chain', 'inet', 'upnp', 'prerouting_miniupnpd'] as const;
  await lab.node('router').run(['nft', ...chain], { signal });
  await lab.node('router').run(['conntrack', '-D', '-p', 'udp'], { signal, accept: [0, 1] });
}
