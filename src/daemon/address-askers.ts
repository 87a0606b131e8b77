import { isIP } from 'node:net';
import { GatewayError } from '../core/errors.ts';
import type { HomeAddress } from '../core/home.ts';
import { isPublicUnicast, parseEndpoint } from '../core/inet.ts';
import { isPublicIpv6 } from '../core/inet6.ts';
import type { Mapper } from '../core/mapper.ts';
import type { Relay } from '../core/relay.ts';
import { resolveHost } from '../system/resolve.ts';
import { askStun } from '../system/stun.ts';
import type { AddressAsker } from './home-tracker.ts';
import type { RelayVantages } from './vantages.ts';

/** `undefined` unless it can be where a home is on the internet: servers and relays may lie. */
export function homeAddress(address: string, source: HomeAddress['source']): HomeAddress | undefined {
  if (isPublicUnicast(address)) return { family: 4, address, source };
  return isPublicIpv6(address) ? { family: 6, address, source } : undefined;
}

/** Each relay that was joined; one that does not answer is left out. */
export function relayAsker(relays: () => readonly Relay[], vantages: RelayVantages): AddressAsker {
  return async (signal) => {
    const asked = relays().map(async (relay): Promise<HomeAddress[]> => {
      try {
        const { observed } = await vantages.status(relay, signal);
        return [homeAddress(observed, 'relay') ?? []].flat();
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
        return [];
      }
    });
    return distinct((await Promise.all(asked)).flat());
  };
}

/** Each server of the config, on each address of its name. */
export function stunAsker(servers: () => readonly string[]): AddressAsker {
  return async (signal) => {
    const asked = servers().map(async (text): Promise<HomeAddress[]> => {
      const endpoint = parseEndpoint(text);
      if (endpoint === undefined) return [];
      const { host, port, type } = endpoint;
      const hosts = type === 'name' ? ((await resolveHost(host, signal)) ?? []) : [host];
      const answers = await Promise.all(
        oneOfEach(hosts).map((address) => askStun({ host: address, port }, signal)),
      );
      return answers.flatMap((answer) => {
        const found = answer === undefined ? undefined : homeAddress(answer.mapped.host, 'stun');
        return found === undefined ? [] : [found];
      });
    });
    return distinct((await Promise.all(asked)).flat());
  };
}

/** What the router said when it opened a port for us; it is not asked again for that. */
export function routerAsker(mapper: Pick<Mapper, 'kept'>): AddressAsker {
  return async () => {
    const told = (await mapper.kept()).flatMap(({ report }) => report.externalAddress ?? []);
    return distinct(told.flatMap((address) => homeAddress(address, 'router') ?? []));
  };
}

function oneOfEach(hosts: readonly string[]): string[] {
  return [4, 6].flatMap((family) => hosts.find((host) => isIP(host) === family) ?? []);
}

function distinct(found: readonly HomeAddress[]): HomeAddress[] {
  return [...new Map(found.map((one) => [one.address, one])).values()].sort((a, b) =>
    a.address < b.address ? -1 : 1,
  );
}
