import type { ClientBundle, DeviceKey, Provider } from '../core/contract.ts';
import type { Crypto, Ports } from '../core/ports.ts';
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
  /** Where a certificate is what it goes by. */
  readonly issued?: { readonly bundle: Secret<ClientBundle>; readonly authority: string };
}

/** Those of Curve25519. */
type PublicKey = Exclude<DeviceKey, 'certificate'>;

/** Keys that the device made itself, by field. */
export type Brought = Readonly<Partial<Record<PublicKey, string | undefined>>>;

/** For the device of this name, through each of these. */
export function makeKeys(
  device: string,
  providers: readonly Provider[],
  brought: Brought,
  ports: Pick<Ports, 'crypto' | 'keys' | 'now'>,
): Promise<FreshKeys[]> {
  // One for all ways in that ask for one; the first hands it out.
  let certificate: Promise<FreshKeys> | undefined;
  const make = async (provider: Provider): Promise<FreshKeys> => {
    const field = fieldOf(provider);
    if (field !== 'certificate') return makeKey(provider, field, brought, ports.crypto);
    if (certificate === undefined) return (certificate = issueTo(device, provider, ports));
    const { issued: _issued, ...same } = await certificate;
    return { ...same, provider };
  };
  return Promise.all(providers.map(make));
}

/** Its name must not change: the key would seem lost. */
const AUTHORITY_KEY = 'devices/authority';

/** What it takes to make one is loaded with the first. */
async function issueTo(
  device: string,
  provider: Provider,
  { crypto, keys, now }: Pick<Ports, 'crypto' | 'keys' | 'now'>,
): Promise<FreshKeys> {
  const { authorityCertificate, clientCertificate } =
    await import('../system/client-certificate/authority.ts');
  const { pkcs12, randomPassword } = await import('../system/client-certificate/pkcs12.ts');
  const secret = (await keys.ensure(AUTHORITY_KEY, 'p256')).reveal();
  const client = clientCertificate(device, secret, now());
  const password = randomPassword();
  const bundle = new Secret({ pkcs12: base64(pkcs12(device, client, password)), password });
  const issued = { bundle, authority: authorityCertificate(secret, now()) };
  const unused = { privateKey: new Secret(''), preshared: new Secret(crypto.random(32)) };
  return { provider, publicKey: client.fingerprint, ...unused, issued };
}

function makeKey(provider: Provider, field: PublicKey, brought: Brought, crypto: Crypto): FreshKeys {
  const own = brought[field];
  const preshared = new Secret(crypto.random(32));
  if (own !== undefined) return { provider, publicKey: own, privateKey: new Secret(''), preshared };
  const secret = crypto.curve25519Secret();
  const publicKey = WRITTEN[field](crypto.curve25519Public(secret));
  return { provider, publicKey, privateKey: new Secret(base64(secret)), preshared };
}

/** As each field of `Device` has it. */
const WRITTEN: Readonly<Record<PublicKey, (publicKey: Uint8Array) => string>> = {
  publicKey: base64,
  onionKey: (publicKey) => encodeBase32(publicKey).toUpperCase(),
};

export function publicKeysOf(keys: readonly FreshKeys[]): Pick<Device, DeviceKey> {
  return Object.fromEntries(keys.map(({ provider, publicKey }) => [fieldOf(provider), publicKey]));
}

/** The same device, to be given other keys. */
export function withoutKeys(device: Device): Device {
  const { publicKey: _publicKey, onionKey: _onionKey, certificate: _certificate, ...rest } = device;
  return rest;
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
