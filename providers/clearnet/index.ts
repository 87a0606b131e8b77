import { defineProvider, type Address, type Exposure, type Observed } from '../../src/core/contract.ts';
import { apply, describe } from './apply.ts';
import { compile } from './compile.ts';
import { enrol, isForDevices } from './enrol.ts';
import { observe } from './observe.ts';
import { published } from './published.ts';
import { reach } from './reach.ts';
import {
  Options,
  Settings,
  siteKey,
  type Options as OptionsType,
  type Settings as SettingsType,
  type Spec,
} from './spec.ts';
import { urlOf } from './url.ts';

/** `https://` at a name of the owner's, with a certificate that every browser trusts, straight to the home. */
export const clearnet = defineProvider<Spec, OptionsType, SettingsType>({
  id: 'clearnet',
  title: 'Web page at a name of yours',
  kinds: ['site'],
  options: Options,
  settings: Settings,
  capabilities: {
    network: 'internet',
    needsPublicAddress: true,
    needsOpenPort: true,
    worksBehindCgnat: false,
    perDeviceCredentials: true,
    canBeFallback: true,
    showsHomeAddress: true,
    showsPublicName: true,
    notes: {
      perDeviceCredentials: 'where `access` is `devices`',
      needsOpenPort: 'TCP 443 and 80, which the router opens by itself or forwards',
      showsPublicName: 'public lists of all certificates (Certificate Transparency) hold the name for good',
    },
  },
  compile,
  observe,
  apply,
  describe,
  close: () => Promise.resolve(),
  addresses,
  published,
  reach,
  deviceKey: 'certificate',
  asksForDevice: (exposure) => isForDevices(exposure),
  enrol,
  handouts: (exposure, observed) =>
    addresses(exposure, observed).map(({ url }) => ({
      kind: 'link',
      label: `${exposure.service.name} on the web`,
      file: `${exposure.service.name}-clearnet.txt`,
      secret: false,
      text: url,
    })),
});

function addresses(exposure: Exposure<OptionsType>, observed: readonly Observed<Spec>[]): Address[] {
  const found = observed.find(({ key }) => key === siteKey(exposure.service.name));
  if (found === undefined) return [];
  const browser = isForDevices(exposure) ? 'a device that was added, with its certificate' : 'any browser';
  const client = found.spec.mode === 'http' ? browser : 'a client that speaks TLS';
  return [{ url: urlOf(found.spec), network: 'internet', clientNeeds: [client] }];
}
