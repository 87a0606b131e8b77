import type { Ports } from '../core/ports.ts';
import type { Relay } from '../core/relay.ts';
import type { Engine } from '../engine/engine.ts';
import type { HomeTracker } from './home-tracker.ts';
import type { Recorder } from './journal.ts';
import { RelayHolds } from './relay-holds.ts';
import { TunnelWatch } from './tunnel-watch.ts';
import type { RelayVantages } from './vantages.ts';

export interface RelayTasksOptions {
  readonly engine: Engine;
  readonly ports: Ports;
  readonly vantages: RelayVantages;
  readonly home: HomeTracker;
  readonly record: Recorder;
}

/** What is done for relays again and again, with what the log says when it did not work. */
export function createRelayTasks({
  engine,
  ports,
  vantages,
  home,
  record,
}: RelayTasksOptions): [RelayHolds | TunnelWatch, string][] {
  const tunnels = new TunnelWatch({ ...ports, vantages, record, desired: () => engine.desired });
  const relays = (): readonly Relay[] => engine.desired?.relays ?? [];
  const broke = (): void => {
    home.hurry();
    tunnels.hurry();
  };
  return [
    [tunnels, 'tunnels to relays are not watched'],
    [new RelayHolds({ relays, vantages, broke, log: ports.log }), 'relays are not listened to'],
  ];
}
