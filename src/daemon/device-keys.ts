import type { DeviceKey, Provider } from '../core/contract.ts';
import type { Crypto } from '../core/ports.ts';
import { Secret } from '../core/secret.ts';
import type { Device } from '../core/service.ts';
import { encodeBase32 } from '../wire/onion.ts';

/** What one provider gives to one device. The private key is handed out once and forgotten. */
export interface FreshKeys {
  readonly provider: Provider;
  readonly publicKey: string;
  /** Base64; empty when the device brought its own. */
  readonly privateKey: Secret<string>;
  readonly preshared: Secret<Uint8Array>;
}

/** Keys that the device made itself, by field. */
export type Brought = Readonly<Partial<Record<DeviceKey, string | undefined>>>;

export function makeKeys(provider: Provider, brought: Brought, crypto: Crypto): FreshKeys {
  const field = fieldOf(provider);
  const own = brought[field];
  const preshared = new Secret(crypto.random(32));
  if (own !== undefined) return { provider, publicKey: own, privateKey: new Secret(''), preshared };
  const secret = crypto.curve25519Secret();
  const publicKey = WRITTEN[field](crypto.curve25519Public(secret));
  return { provider, publicKey, privateKey: new Secret(base64(secret)), preshared };
}

/** As each field of `Device` has it. */
const WRITTEN: Readonly<Record<DeviceKey, (publicKey: Uint8Array) => string>> = {
  publicKey: base64,
  onionKey: (publicKey) => encodeBase32(publicKey).toUpperCase(),
};

export function publicKeysOf(keys: readonly FreshKeys[]): Pick<Device, DeviceKey> {
  return Object.fromEntries(keys.map(({ provider, publicKey }) => [fieldOf(provider), publicKey]));
}

/** The same device, to be given other keys. */
export function withoutKeys({ publicKey: _publicKey, onionKey: _onionKey, ...device }: Device): Device {
  return device;
}

export function keyOf(device: Device, provider: Provider): string | undefined {
  return provider.deviceKey === undefined ? undefined : device[provider.deviceKey];
}

function fieldOf({ id, deviceKey }: Provider): DeviceKey {
  if (deviceKey === undefined) throw new TypeError(`provider ${id} enrols devices and says no deviceKey`);
  return deviceKey;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
