import { createHmac, timingSafeEqual } from 'node:crypto';
import { cardOf, type CardCheck, type DeviceCard } from '../core/card.ts';
import type { Provider } from '../core/contract.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { DeviceStatus, Status } from '../core/status.ts';
import type { StatusReporter } from './status-reporter.ts';

export interface CardOptions {
  readonly reporter: Pick<StatusReporter, 'report'>;
  readonly ports: Pick<Ports, 'keys' | 'now'>;
  readonly providers: readonly Provider[];
}

/** Keeps the code apart from whatever else the key is for. */
const PURPOSE = 'gateway device card 1\n';
const CODE_BYTES = 16;

export async function makeCard(options: CardOptions, name: string): Promise<DeviceCard> {
  const status = await options.reporter.report();
  const device = demandDevice(status, name);
  const card = cardOf(status, device, new Date(options.ports.now()).toISOString());
  const key = await sharedKey(options, device);
  return { ...card, code: key === undefined ? null : codeFor(key, card.text).toString('base64url') };
}

/** Who only finds a card learns nothing of whose it is: whoever can check a code can also make one. */
export async function checkCard(
  options: CardOptions,
  name: string,
  { text, code }: { readonly text: string; readonly code: string },
): Promise<CardCheck> {
  const key = await sharedKey(options, demandDevice(await options.reporter.report(), name));
  if (key === undefined) {
    throw new GatewayError(`${name} has no key that it shares with this home: its cards have no code`, {
      code: 'NotSupported',
      retry: 'never',
    });
  }
  const [told, right] = [Buffer.from(code, 'base64url'), codeFor(key, text)];
  return { isGenuine: told.length === right.length && timingSafeEqual(told, right) };
}

function codeFor(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(`${PURPOSE}${text}`).digest().subarray(0, CODE_BYTES);
}

/** The preshared key of its tunnel: in its configuration, and here. */
async function sharedKey(
  { ports, providers }: CardOptions,
  { publicKey }: DeviceStatus,
): Promise<Uint8Array | undefined> {
  if (publicKey === null) return undefined;
  const names = providers.flatMap((provider) => provider.presharedKeyName?.(publicKey) ?? []);
  const [name] = names;
  return name === undefined ? undefined : (await ports.keys.read(name, 'preshared'))?.reveal();
}

function demandDevice({ devices }: Status, name: string): DeviceStatus {
  const device = devices.find((each) => each.name === name);
  if (device !== undefined) return device;
  const names = devices.map((each) => each.name).join(', ') || 'none yet';
  throw new GatewayError(`there is no device ${name}`, { code: 'DeviceUnknown', hint: `devices: ${names}` });
}
