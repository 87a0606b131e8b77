import type { Provider } from '../core/contract.ts';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import type { DeviceRight } from '../core/rights.ts';
import type { Device, ReachedBy } from '../core/service.ts';

/** Only a service in a namespace of its own can be let through to a device: the others are not behind the hub. */
export function demandReachers(
  device: string,
  reachedBy: readonly ReachedBy[],
  desired: Desired | undefined,
): void {
  if (reachedBy.length === 0) return;
  const services = desired?.services ?? [];
  if (services.some(({ name }) => name === device)) {
    throw new GatewayError(`there is a service ${device} already, under whose name it would be found`, {
      code: 'AlreadyExists',
      retry: 'never',
      hint: 'choose another name for the device',
    });
  }
  for (const { service: name } of reachedBy) {
    const service = services.find((each) => each.name === name);
    if (service === undefined) {
      throw new GatewayError(`there is no service ${name}`, {
        code: 'ServiceUnknown',
        hint: `services: ${services.map((each) => each.name).join(', ') || 'none yet'}`,
      });
    }
    if (service.place.type === 'namespace') continue;
    throw new GatewayError(`${name} has no namespace of its own, so nothing lets it through to ${device}`, {
      code: 'NotSupported',
      retry: 'never',
      hint: `give it one: gateway service set ${name} --isolation on`,
    });
  }
}

/** A right is for something that the device has: `lnd:unlock` for an LND. */
export function demandNodes(
  rights: readonly DeviceRight[],
  services: readonly string[],
  desired: Desired | undefined,
): void {
  if (rights.length === 0) return;
  const mine = (desired?.services ?? []).filter(({ name }) => services.includes(name));
  if (mine.some(({ kind }) => kind === 'lnd')) return;
  throw new GatewayError(`none of ${services.join(', ')} is an LND, whose wallet could be opened`, {
    code: 'InvalidRequest',
    retry: 'never',
    hint: 'leave --right out, or name the service of the node: --service lnd',
  });
}

/** WireGuard knows a device by its key alone: two with one key would take each other's place. */
export function demandOwn(
  publicKey: string | undefined,
  ways: readonly Provider[],
  devices: readonly Device[],
): void {
  if (publicKey === undefined) return;
  const holder = devices.find((device) => device.publicKey === publicKey);
  const isUsed = ways.some(({ deviceKey }) => deviceKey === 'publicKey');
  if (isUsed && holder === undefined) return;
  throw new GatewayError(
    holder === undefined
      ? 'none of these services is reachable over WireGuard, so a WireGuard key is of no use'
      : `this is the public key of ${holder.name} already`,
    {
      code: holder === undefined ? 'InvalidRequest' : 'AlreadyExists',
      retry: 'never',
      hint:
        holder === undefined
          ? 'leave the public key out, or expose one of them: gateway expose SERVICE --via wireguard'
          : 'make another key on the new device: wg genkey',
    },
  );
}
