import { defineProvider, type Address, type Exposure, type Observed } from '../../src/core/contract.ts';
import { apply, applyAll, describe } from './apply.ts';
import { compile } from './compile.ts';
import { enrol } from './enrol.ts';
import { observe, observeChanged } from './observe.ts';
import { reach } from './reach.ts';
import { visitorsOf } from './visitors.ts';
import { Options, presharedKeyName, Settings, type Options as OptionsType, type Spec } from './spec.ts';

/** The stock WireGuard app on a phone or laptop, enrolled by scanning one code. */
export const wireguard = defineProvider<Spec, OptionsType, Settings>({
  id: 'wireguard',
  title: 'WireGuard',
  kinds: ['interface', 'peer'],
  options: Options,
  settings: Settings,
  capabilities: {
    network: 'vpn',
    needsPublicAddress: true,
    needsOpenPort: true,
    worksBehindCgnat: false,
    perDeviceCredentials: true,
    canBeFallback: true,
    showsHomeAddress: false,
    showsPublicName: false,
    notes: {
      needsOpenPort: 'one UDP port, which the router opens by itself or forwards; or a relay',
      worksBehindCgnat: 'with a relay',
      canBeFallback: 'for devices that were added',
      showsHomeAddress: 'only devices that you added know it',
    },
  },
  compile,
  observe,
  apply,
  applyAll,
  observeChanged,
  describe,
  close: () => Promise.resolve(),
  addresses,
  published(exposure, observed) {
    if (!isOpen(observed)) {
      return {
        status: 'unknown',
        reason: 'InterfaceMissing',
        message: 'the WireGuard interface does not exist yet',
      };
    }
    const lost = observed.find(({ facts }) => facts['dialProblem'] !== undefined);
    if (lost !== undefined) {
      return {
        status: 'unknown',
        reason: 'EndpointUnknown',
        message: `devices would not know where to find this gateway: ${String(lost.facts['dialProblem'])}`,
      };
    }
    const { address, port, name } = exposure.service;
    return visitorsOf(observed, `${address}:${port}`).length > 0
      ? {
          status: 'yes',
          reason: 'DeviceConfigured',
          message: 'devices that were given it know where to find it',
        }
      : {
          status: 'no',
          reason: 'NoDevice',
          message: `no device was given ${name} yet: gateway device add PHONE --service ${name}`,
        };
  },
  reach,
  handouts: (exposure, observed) =>
    addresses(exposure, observed).map(({ url }) => ({
      kind: 'link',
      label: `${exposure.service.name} over WireGuard`,
      file: `${exposure.service.name}-wireguard.txt`,
      secret: false,
      text: url,
    })),
  deviceKey: 'publicKey',
  presharedKeyName,
  enrol,
});

function addresses(exposure: Exposure, observed: readonly Observed<Spec>[]): Address[] {
  const { kind, address, port } = exposure.service;
  if (!isOpen(observed)) return [];
  const isWeb = kind === 'http' || kind === 'btcpay';
  const url = isWeb ? `http://${address}${port === 80 ? '' : `:${port}`}` : `tcp://${address}:${port}`;
  return [{ url, network: 'vpn', clientNeeds: ['a device that was added'] }];
}

function isOpen(observed: readonly Observed<Spec>[]): boolean {
  return observed.some(
    ({ spec }) => spec.type === 'interface' && spec.address !== '' && spec.endpoint !== '',
  );
}
