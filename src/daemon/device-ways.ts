import type { Provider } from '../core/contract.ts';
import type { Desired, DesiredExposure } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import type { Device } from '../core/service.ts';
import { keyOf } from './device-keys.ts';

/**
 * The ways in that a device with these services needs credentials for: one or several. Each service must be behind at
 * least one of them.
 */
export function waysFor(
  services: readonly string[],
  desired: Desired | undefined,
  providers: readonly Provider[],
): Provider[] {
  demandKnown(services, desired);
  const granted = (desired?.exposures ?? []).filter(({ service }) => services.includes(service.name));
  const open = granted.filter((exposure) => exposure.problem === undefined && asks(exposure, providers));
  const missed = services.find((name) => !open.some(({ service }) => service.name === name));
  if (missed !== undefined) throw notForDevices(missed, granted);
  return providers.filter(({ id }) => open.some(({ provider }) => provider === id));
}

/** Throws when one of the ways has no room for one device more. */
export function demandRoom(
  services: readonly string[],
  ways: readonly Provider[],
  devices: readonly Device[],
): void {
  for (const provider of ways) {
    const { maxDevices = Infinity, title } = provider;
    const keyed = devices.filter((device) => keyOf(device, provider) !== undefined);
    const full = services.find(
      (name) => keyed.filter((device) => device.services.includes(name)).length >= maxDevices,
    );
    if (full === undefined) continue;
    throw new GatewayError(`${full} has ${maxDevices} devices already, and ${title} takes no more`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: 'revoke one that is not used any more: gateway device list',
    });
  }
}

function asks(exposure: DesiredExposure, providers: readonly Provider[]): boolean {
  const provider = providers.find(({ id }) => id === exposure.provider);
  if (provider?.enrol === undefined) return false;
  return provider.asksForDevice?.(exposure) ?? true;
}

function demandKnown(services: readonly string[], desired: Desired | undefined): void {
  const known = new Set(desired?.services.map((service) => service.name));
  const unknown = services.find((service) => !known.has(service));
  if (unknown === undefined) return;
  throw new GatewayError(`there is no service ${unknown}`, {
    code: 'ServiceUnknown',
    hint: `services: ${[...known].join(', ') || 'none yet'}`,
  });
}

const PAGES: ReadonlySet<string> = new Set(['clearnet', 'relay']);

function notForDevices(service: string, granted: readonly DesiredExposure[]): GatewayError {
  const mine = granted.filter((exposure) => exposure.service.name === service);
  const { problem } = mine.find((exposure) => exposure.problem !== undefined) ?? {};
  const isOpenOverTor = mine.some(({ provider, problem: why }) => provider === 'tor' && why === undefined);
  const ways = `gateway expose ${service} --via wireguard`;
  const onion = isOpenOverTor
    ? `; or let its onion service in only devices that you add, in gateway.yaml: tor: { authorization: required }`
    : '';
  const page = mine.some(({ provider, problem: why }) => PAGES.has(provider) && why === undefined)
    ? `; or open its page to nobody but devices that you add, in gateway.yaml: access: devices`
    : '';
  const why = isOpenOverTor ? ': its onion service lets everybody in who knows the address' : '';
  return new GatewayError(`${service} has no way in for a device that is added${why}`, {
    code: 'InvalidRequest',
    hint: problem === undefined ? `expose it first: ${ways}${onion}${page}` : reasonOf(problem),
  });
}

function reasonOf({ message, hint }: NonNullable<DesiredExposure['problem']>): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}
