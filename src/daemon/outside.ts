import type { Desired } from '../core/desired.ts';
import type { Mapper } from '../core/mapper.ts';
import type { Keys, Log } from '../core/ports.ts';
import type { Relay } from '../core/relay.ts';
import { interfaceAddresses } from '../system/home-addresses.ts';
import { networkFingerprint } from '../system/host-network.ts';
import { homeAddress, relayAsker, routerAsker, stunAsker } from './address-askers.ts';
import { HomeTracker } from './home-tracker.ts';
import type { Recorder } from './journal.ts';
import { RelayVantages } from './vantages.ts';

export interface OutsideOptions {
  readonly desired: () => Desired | undefined;
  readonly keys: Keys;
  readonly mapper: Pick<Mapper, 'kept'>;
  readonly log: Log;
  readonly record: Recorder;
  /** The public address is another one. */
  readonly changed: () => void;
}

/** What is known of this home from outside: whether its ways in work, and at which address it is. */
export function createOutside({ desired, keys, mapper, log, record, changed }: OutsideOptions): {
  readonly vantages: RelayVantages;
  readonly home: HomeTracker;
} {
  const relays = (): readonly Relay[] => desired()?.relays ?? [];
  const saw = (address: string): void => {
    const seen = homeAddress(address, 'relay');
    if (seen !== undefined) home.hear(seen);
  };
  const vantages = new RelayVantages({ relays, keys, record, saw });
  const stun = stunAsker(() => desired()?.stun ?? []);
  const home = new HomeTracker({
    interfaces: interfaceAddresses,
    fingerprint: networkFingerprint,
    askers: { relay: relayAsker(relays, vantages), stun, router: routerAsker(mapper) },
    now: Date.now,
    log,
    record,
    changed,
  });
  return { vantages, home };
}
