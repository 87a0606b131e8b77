import { isIP } from 'node:net';
import { parseEndpoint } from '../../core/inet.ts';
import { resolveHost } from '../resolve.ts';
import { askStun, natBehaviour } from '../stun.ts';
import type { StunAddress } from '../../wire/stun.ts';
import { distanceToStun } from './stun-distance.ts';
import type { Survey } from './survey.ts';

/** Each server on one address of each family. */
export async function stunAddresses(servers: readonly string[], signal: AbortSignal): Promise<StunAddress[]> {
  const found = servers.map(async (text): Promise<StunAddress[]> => {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined) return [];
    const { host, port, type } = endpoint;
    const hosts = type === 'name' ? ((await resolveHost(host, signal)) ?? []) : [host];
    return [4, 6].flatMap((family) => {
      const address = hosts.find((one) => isIP(one) === family);
      return address === undefined ? [] : [{ host: address, port }];
    });
  });
  return (await Promise.all(found)).flat();
}

/** Where each server sees us. Resolves with the IPv4 address that the first to answer says. */
export async function seenFrom(survey: Survey, servers: readonly StunAddress[]): Promise<string | undefined> {
  const asked = servers.map(async (server) => {
    const answer = await askStun(server, survey.signal);
    if (answer === undefined) throw new NoAnswer();
    const address = answer.mapped.host;
    survey.add({ method: 'stun', server: server.host, address });
    if (isIP(address) !== 4) throw new NoAnswer();
    return address;
  });
  const all = Promise.allSettled(asked);
  return Promise.any(asked).catch(async () => {
    await all;
    return undefined;
  });
}

class NoAnswer extends Error {}

export async function behave(survey: Survey, server: StunAddress): Promise<void> {
  await survey.attempt('how ports are given', async () => {
    const found = await natBehaviour(server, survey.signal);
    if (found === undefined) return;
    survey.add({ method: 'behaviour', mapping: found.mapping, filtering: found.filtering });
  });
}

export async function measureDistance(survey: Survey, server: StunAddress): Promise<void> {
  const routers = await distanceToStun(server, survey.signal);
  survey.add(routers === undefined ? undefined : { method: 'distance', routers });
}
