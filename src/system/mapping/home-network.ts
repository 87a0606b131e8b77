import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../core/errors.ts';
import { formatIpv4 } from '../../core/inet.ts';
import { addressTowards } from '../address-towards.ts';
import { PolicyRoute } from './policy-route.ts';

/** Where this machine is: its router, and the address that its packets to the router carry. */
export interface HomeNetwork {
  readonly router: string;
  readonly address: string;
}

const policyRoute = new PolicyRoute();

/**
 * Sends nothing, and starts no process where the main table has a default route, so that it can be asked every few seconds.
 * `undefined` without a router.
 */
export async function findHomeNetwork(): Promise<HomeNetwork | undefined> {
  const router = defaultGateway(await readRoutes()) ?? (await policyRoute.gateway(Date.now()));
  const address = router === undefined ? undefined : await addressTowards(router);
  return router === undefined || address === undefined ? undefined : { router, address };
}

async function readRoutes(): Promise<string> {
  try {
    return await readFile('/proc/net/route', 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

const UP_AND_GATEWAY = 3;

/** The default route with the lowest metric; addresses stand there in hexadecimal, last byte first (proc_net(5)). */
export function defaultGateway(table: string): string | undefined {
  const routes = table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .flatMap(([, destination, gateway, flags, , , metric, mask]) => {
      const isDefault = destination === '00000000' && mask === '00000000';
      const isUsable = (parseInt(flags ?? '0', 16) & UP_AND_GATEWAY) === UP_AND_GATEWAY;
      return isDefault && isUsable ? [{ gateway: gateway ?? '', metric: Number(metric) }] : [];
    })
    .sort((a, b) => a.metric - b.metric);
  const bytes = routes[0]?.gateway.match(/../g);
  return bytes === null || bytes === undefined
    ? undefined
    : formatIpv4(parseInt(bytes.toReversed().join(''), 16));
}
