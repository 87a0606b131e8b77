import { setTimeout as sleep } from 'node:timers/promises';
import type { MappingProtocol } from '../../src/core/mapping.ts';
import { startServedHome, type ServedHome } from '../support/served-lab.ts';
import type { Figure } from './figure.ts';

const ALL: readonly MappingProtocol[] = ['pcp', 'nat-pmp', 'upnp'];
const PATIENCE_SECONDS = 420;
/** Longer than the lease that the lab's router gives. */
const AWAY_SECONDS = 2 * 3600;
const HANG_MS = 60_000;

interface Case {
  readonly what: string;
  /** What the router speaks. */
  readonly protocols: readonly MappingProtocol[];
  /** Before the phone scans its code. */
  readonly prepare?: (scene: ServedHome) => Promise<void>;
  /** Resolves with the seconds until the phone outside is served again. */
  readonly happen: (scene: ServedHome, signal: AbortSignal) => Promise<number>;
}

const restart: Case['happen'] = async (scene) => {
  await scene.restartRouter();
  return scene.home.served(PATIENCE_SECONDS);
};

/** The address in the code is a name: its owner turns the tunnel off and on until it works again. */
const move: Case['happen'] = async (scene, signal) => {
  const { home } = scene;
  await scene.moveTo('11.2.0.9');
  const began = performance.now();
  for (;;) {
    try {
      await home.phone.leave(signal);
      // wireguard-go has to end before another one begins.
      await sleep(500, undefined, { signal });
      await home.phone.join(signal);
      await home.served(3);
      return (performance.now() - began) / 1000;
    } catch (error) {
      if (performance.now() - began > PATIENCE_SECONDS * 1000) throw error;
    }
  }
};

const CASES: readonly Case[] = [
  { what: 'the router restarts and forgets', protocols: ALL, happen: restart },
  { what: 'the same, PCP alone', protocols: ['pcp'], happen: restart },
  { what: 'the same, NAT-PMP alone', protocols: ['nat-pmp'], happen: restart },
  { what: 'the same, UPnP alone', protocols: ['upnp'], happen: restart },
  {
    what: 'the lease ends while the daemon is stopped; from its start',
    protocols: ALL,
    happen: async (scene) => {
      await scene.cutDaemon();
      await scene.restartRouter();
      await scene.age(AWAY_SECONDS);
      const began = performance.now();
      await scene.home.owner.type('up');
      await scene.home.served(PATIENCE_SECONDS);
      return (performance.now() - began) / 1000;
    },
  },
  {
    what: 'the address changes, nobody tells; to the tunnel turned on again',
    protocols: ALL,
    prepare: (scene) => scene.name(),
    happen: move,
  },
  {
    what: 'the same, with a relay',
    protocols: ALL,
    prepare: async (scene) => {
      await scene.name();
      await scene.joinRelay();
    },
    happen: move,
  },
  {
    what: 'the router lists the port and does not forward; with a relay',
    protocols: ['upnp'],
    prepare: (scene) => scene.joinRelay(),
    happen: async (scene, signal) => {
      // A phone whose tunnel stands goes on by what the home sends it; this one turns its tunnel on again.
      await scene.home.phone.leave(signal);
      await scene.stopForwarding();
      await sleep(500, undefined, { signal });
      await scene.home.phone.join(signal);
      return scene.home.served(PATIENCE_SECONDS);
    },
  },
  {
    what: 'it restarts, forgets, and UPnP hangs for a minute; from its end',
    protocols: ['upnp'],
    happen: async (scene, signal) => {
      await scene.home.phone.leave(signal);
      await scene.restartRouter();
      await scene.hangUpnp(true);
      await sleep(HANG_MS, undefined, { signal });
      await scene.home.phone.join(signal);
      await scene.hangUpnp(false);
      return scene.home.served(PATIENCE_SECONDS);
    },
  },
  {
    what: 'it restarts, forgets, and multicast has stopped',
    protocols: ALL,
    prepare: (scene) => scene.dropMulticast(),
    happen: restart,
  },
  {
    what: 'the same, UPnP alone',
    protocols: ['upnp'],
    prepare: (scene) => scene.dropMulticast(),
    happen: restart,
  },
];

const SETTLE_MS = 15_000;

/** A phone outside uses WireGuard through the router's mapping; then something happens. */
export async function* benchMappingServed(signal: AbortSignal): AsyncGenerator<Figure> {
  for (const { what, protocols, prepare, happen } of CASES) {
    const scene = await startServedHome(protocols, signal);
    try {
      await prepare?.(scene);
      await scene.home.enrol();
      await scene.home.served();
      // One that has just started cannot be told from one that starts again (RFC 6887 8.5 allows for seconds).
      await sleep(SETTLE_MS, undefined, { signal });
      yield { what, value: await happen(scene, signal), unit: 's', goal: 'reported' };
    } finally {
      await scene.home.lab.stop();
    }
  }
}
