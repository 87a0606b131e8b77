import { setTimeout as sleep } from 'node:timers/promises';
import type { MappingProtocol } from '../../src/core/mapping.ts';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';
import type { Figure } from './figure.ts';

const ROUTERS: readonly (readonly MappingProtocol[])[] = [['pcp', 'nat-pmp', 'upnp'], ['upnp']];
const LOOK_MINUTES = 5;
/** A few a minute. */
const MOST_AN_HOUR = 300;

/** What the home sends to its router while nothing happens: to the router itself and to everybody in the network. */
const COUNTER = `table ip idle {
  counter sent { }
  chain output {
    type filter hook output priority -300
    ip daddr { 192.168.50.1, 224.0.0.0/4 } counter name sent
  }
}
`;

export async function* benchMappingIdle(signal: AbortSignal): AsyncGenerator<Figure> {
  for (const protocols of ROUTERS) {
    const home = await startMappingHome(protocols, signal);
    try {
      await home.enrol();
      await home.served();
      await home.lab.node('home').run(['nft', '-f', '-'], { signal, input: COUNTER });
      const before = await sent(home, signal);
      await sleep(LOOK_MINUTES * 60_000, undefined, { signal });
      const value = ((await sent(home, signal)) - before) * (60 / LOOK_MINUTES);
      const what = `packets to the router in an idle hour (${protocols.join(', ')})`;
      const against = 'a few a minute';
      yield { what, value, unit: '', against, ratio: value / MOST_AN_HOUR, goal: `at most ${MOST_AN_HOUR}` };
    } finally {
      await home.lab.stop();
    }
  }
}

async function sent(home: MappingHome, signal: AbortSignal): Promise<number> {
  const list = ['nft', 'list', 'counter', 'ip', 'idle', 'sent'] as const;
  const { stdout } = await home.lab.node('home').run([...list], { signal });
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
}
