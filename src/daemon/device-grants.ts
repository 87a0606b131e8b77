import type { Provider } from '../core/contract.ts';
import type { Grant } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import type { Device, ReachedBy } from '../core/service.ts';

/** The device with more; what it has already is not given twice. */
export function withGrant(device: Device, { services, rights = [], reachedBy = [] }: Grant): Device {
  const may = [...new Set([...(device.rights ?? []), ...rights])];
  const reachers = [...(device.reachedBy ?? [])];
  for (const one of reachedBy) if (!reachers.some((other) => isSame(one, other))) reachers.push(one);
  return {
    ...device,
    services: [...new Set([...device.services, ...services])],
    ...(may.length === 0 ? {} : { rights: may }),
    ...(reachers.length === 0 ? {} : { reachedBy: reachers }),
  };
}

/** The device with less. Throws for what it does not have, and when nothing would be left. */
export function withoutGrant(device: Device, { services, rights = [], reachedBy = [] }: Grant): Device {
  const { name, rights: may = [], reachedBy: reachers = [], ...rest } = device;
  const stranger = services.find((service) => !device.services.includes(service));
  if (stranger !== undefined) {
    throw refused(`${name} was not given ${stranger}`, `it may reach ${device.services.join(', ')}`);
  }
  const unknown = reachedBy.find((one) => !reachers.some((other) => isSame(one, other)));
  if (unknown !== undefined) {
    const known = reachers.map(textOf).join(', ') || 'nothing';
    throw refused(`${textOf(unknown)} may not connect to ${name}`, `it is reached by ${known}`);
  }
  const unheld = rights.find((right) => !may.includes(right));
  if (unheld !== undefined) {
    throw refused(`${name} does not have the right ${unheld}`, `it has ${may.join(', ') || 'none'}`);
  }
  const left = device.services.filter((service) => !services.includes(service));
  if (left.length === 0) {
    throw refused(
      `nothing would be left of ${name}`,
      `to take everything away: gateway device revoke ${name}`,
    );
  }
  const others = reachers.filter((other) => !reachedBy.some((one) => isSame(one, other)));
  const kept = may.filter((right) => !rights.includes(right));
  const granted = { ...rest, name, services: left, ...(kept.length === 0 ? {} : { rights: kept }) };
  return { ...granted, ...(others.length === 0 ? {} : { reachedBy: others }) };
}

/** A service finds a device at its address in the tunnel, so without one it never would. */
export function demandTunnel(
  { name, publicKey }: Device,
  fresh: readonly Provider[],
  reachedBy: readonly ReachedBy[],
): void {
  const hasTunnel = publicKey !== undefined || fresh.some(({ deviceKey }) => deviceKey === 'publicKey');
  if (reachedBy.length === 0 || hasTunnel) return;
  throw refused(
    `${name} has no WireGuard tunnel, so no service can connect to it`,
    'give it a service that is exposed over WireGuard: gateway expose SERVICE --via wireguard',
  );
}

/** 'shop, lnd; connections of btcpay:8080', for the journal. */
export function wordsOf({ services, rights = [], reachedBy = [] }: Grant): string {
  const reachers = reachedBy.length === 0 ? [] : [`connections of ${reachedBy.map(textOf).join(', ')}`];
  return [...(services.length === 0 ? [] : [services.join(', ')]), ...rights, ...reachers].join('; ');
}

function isSame(one: ReachedBy, other: ReachedBy): boolean {
  return one.service === other.service && one.port === other.port;
}

function textOf({ service, port }: ReachedBy): string {
  return `${service}:${port}`;
}

function refused(message: string, hint: string): GatewayError {
  return new GatewayError(message, { code: 'InvalidRequest', retry: 'never', hint });
}
