import type { Desired } from '../core/desired.ts';
import { messageOf } from '../core/errors.ts';
import type { Keys, Log } from '../core/ports.ts';
import type { Relay } from '../core/relay.ts';
import { interfaceAddresses } from '../system/home-addresses.ts';
import { networkFingerprint } from '../system/host-network.ts';
import { findHomeNetwork } from '../system/mapping/home-network.ts';
import type { HomeMapper } from '../system/mapping/home-mapper.ts';
import { homeAddress, relayAsker, routerAsker, stunAsker } from './address-askers.ts';
import { HomeTracker } from './home-tracker.ts';
import { createMapper } from './mapper.ts';
import type { Paths } from '../system/directories.ts';
import type { Recorder } from './journal.ts';
import { RelayCarrier } from './relay-carrier.ts';
import { RelayVantages } from './vantages.ts';

export interface OutsideOptions {
  readonly desired: () => Desired | undefined;
  readonly keys: Keys;
  /** Files of the leases, and of what relays were told. */
  readonly paths: Pick<Paths, 'mappings' | 'carried'>;
  readonly log: Log;
  readonly record: Recorder;
  /** The public address is another one, or what the router opened. */
  readonly changed: () => void;
}

/** What is known of this home from outside: whether its ways in work, at which address it is, what its router opens. */
export function createOutside({ desired, keys, paths, log, record, changed }: OutsideOptions): {
  readonly vantages: RelayVantages;
  readonly home: HomeTracker;
  readonly mapper: HomeMapper;
  readonly carrier: RelayCarrier;
} {
  const mapped = (): void => {
    // The router may have told another address.
    home.hurry();
    changed();
  };
  const mapper = createMapper({ file: paths.mappings, log, record, changed: mapped });
  const relays = (): readonly Relay[] => desired()?.relays ?? [];
  const saw = (address: string): void => {
    const seen = homeAddress(address, 'relay');
    if (seen !== undefined) home.hear(seen);
  };
  const vantages = new RelayVantages({ relays, keys, record, saw });
  /** It may have another address as well, and says so when it is asked for the port again. */
  const askRouter = async (externalAddress: string): Promise<void> => {
    const network = await findHomeNetwork();
    if (network !== undefined) mapper.announced(network.router, { mark: {}, externalAddress });
  };
  const stun = stunAsker(() => desired()?.stun ?? []);
  const home = new HomeTracker({
    interfaces: interfaceAddresses,
    fingerprint: networkFingerprint,
    askers: { relay: relayAsker(relays, vantages), stun, router: routerAsker(mapper) },
    now: Date.now,
    log,
    record,
    changed,
    moved: ({ address, family }) => {
      if (family === 6) return;
      askRouter(address).catch((error: unknown) => {
        log('debug', 'the router was not asked for its new address', { error: messageOf(error) });
      });
    },
  });
  const carrier = new RelayCarrier({ path: paths.carried, relays, vantages, log });
  return { vantages, home, mapper, carrier };
}
