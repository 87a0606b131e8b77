import { setTimeout as sleep } from 'node:timers/promises';
import { MAPPING_PROTOCOLS, PROTOCOL_NAMES } from '../../src/core/mapping.ts';
import type { MappingHome } from '../support/mapping-lab.ts';
import { startServedHome } from '../support/served-lab.ts';
import type { Figure } from './figure.ts';

const LOOK_MINUTES = 4;
/** A few a minute. */
const MOST_AN_HOUR = 300;

/** What the home sends to its router while nothing happens. */
const COUNTER = `table ip idle {
  counter sent { }
  chain output {
    type filter hook output priority -400
    ip daddr { 192.168.50.1, 224.0.0.0/4 } counter name sent
  }
}
`;

/** Multicast is dropped: a router that announces itself, as the lab's does each half minute, is asked even less. */
export async function* benchMappingIdle(signal: AbortSignal): AsyncGenerator<Figure> {
  for (const protocol of MAPPING_PROTOCOLS) {
    const scene = await startServedHome([protocol], signal);
    const { home } = scene;
    try {
      await home.enrol();
      await home.served();
      await scene.dropMulticast();
      await home.lab.node('home').run(['nft', '-f', '-'], { signal, input: COUNTER });
      const before = await sent(home, signal);
      await sleep(LOOK_MINUTES * 60_000, undefined, { signal });
      const value = ((await sent(home, signal)) - before) * (60 / LOOK_MINUTES);
      const what = `packets to the router in an idle hour, ${PROTOCOL_NAMES[protocol]}`;
      const against = 'five a minute';
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
