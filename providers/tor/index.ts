import { defineProvider, type Address, type Exposure, type Observed } from '../../src/core/contract.ts';
import { apply, describe } from './apply.ts';
import { asksForKey, MAX_CLIENTS, remarks, revokeGently } from './authorization.ts';
import { compile } from './compile.ts';
import { enrol } from './enrol.ts';
import { observe } from './observe.ts';
import { reach } from './reach.ts';
import {
  isWeb,
  Options,
  Settings,
  type Options as OptionsType,
  type Settings as SettingsType,
  type Spec,
} from './spec.ts';
import { stateOf } from './state.ts';
import { urlOf } from './url.ts';

/** A v3 onion service of our own tor process: needs nothing from the router, and hides where the home is. */
export const tor = defineProvider<Spec, OptionsType, SettingsType>({
  id: 'tor',
  title: 'Tor onion service',
  kinds: ['onion', 'process'],
  options: Options,
  settings: Settings,
  capabilities: {
    network: 'onion',
    needsPublicAddress: false,
    needsOpenPort: false,
    worksBehindCgnat: true,
    perDeviceCredentials: true,
    canBeFallback: true,
    showsHomeAddress: false,
    showsPublicName: false,
    notes: { perDeviceCredentials: 'where `authorization` is `required`' },
  },
  compile,
  observe,
  apply,
  describe,
  close: () => Promise.resolve(),
  addresses,
  published: (exposure, observed) => stateOf(exposure, observed).published,
  reach,
  handouts: (exposure, observed) =>
    addresses(exposure, observed).map(({ url }) => ({
      kind: 'link',
      label: `${exposure.service.name} over Tor`,
      file: `${exposure.service.name}-onion.txt`,
      secret: false,
      text: url,
    })),
  deviceKey: 'onionKey',
  maxDevices: MAX_CLIENTS,
  asksForDevice: asksForKey,
  enrol,
  revokeGently,
  remarks,
});

function addresses(exposure: Exposure<OptionsType>, observed: readonly Observed<Spec>[]): Address[] {
  const { hostname } = stateOf(exposure, observed);
  if (hostname === undefined) return [];
  const client = isWeb(exposure.service) ? 'Tor Browser or another Tor client' : 'a Tor client';
  const key = asksForKey(exposure) ? ['the key of a device that was added'] : [];
  return [{ url: urlOf(exposure.service, hostname), network: 'onion', clientNeeds: [client, ...key] }];
}
