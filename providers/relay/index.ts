import { defineProvider } from '../../src/core/contract.ts';
import { apply, describe } from './apply.ts';
import { compile } from './compile.ts';
import { enrol, isForDevices } from './enrol.ts';
import { observe } from './observe.ts';
import { published } from './published.ts';
import { reach } from './reach.ts';
import { addresses } from './url.ts';
import {
  Options,
  Settings,
  type Options as OptionsType,
  type Settings as SettingsType,
  type Spec,
} from './spec.ts';

/** `https://` at a name of the owner's, or a bare port, through a rented machine that cannot read what it carries. */
export const relay = defineProvider<Spec, OptionsType, SettingsType>({
  id: 'relay',
  title: 'Through a rented machine',
  kinds: ['tunnel', 'way', 'carry'],
  options: Options,
  settings: Settings,
  capabilities: {
    network: 'internet',
    needsPublicAddress: false,
    needsOpenPort: false,
    worksBehindCgnat: true,
    perDeviceCredentials: true,
    canBeFallback: true,
    showsHomeAddress: false,
    showsPublicName: true,
    notes: {
      perDeviceCredentials: 'where `access` is `devices`',
      showsHomeAddress: 'visitors do not learn it; who holds the rented machine does',
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
      label: `${exposure.service.name} through a relay`,
      file: `${exposure.service.name}-relay.txt`,
      secret: false,
      text: url,
    })),
});
