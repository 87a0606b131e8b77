import { GatewayError } from '../../core/errors.ts';
import { formatEndpoint } from '../../core/inet.ts';
import type { RouterSeen } from '../../doctor/world.ts';
import { findHomeNetwork } from '../mapping/home-network.ts';
import { descriptionsOf } from '../mapping/igd-descriptions.ts';

/** The first description that it shows; nobody but the router is asked for one. */
export async function askRouterWhoItIs(signal: AbortSignal): Promise<RouterSeen | undefined> {
  const home = await findHomeNetwork();
  if (home === undefined) return undefined;
  try {
    for await (const { description } of descriptionsOf({ router: home.router, isBrief: true }, signal)) {
      const { manufacturer, model, friendlyName, presentation } = description;
      const endpoint = formatEndpoint({ host: home.router, port: presentation?.port ?? 80 });
      return {
        address: home.router,
        manufacturer,
        model: model || friendlyName,
        page:
          presentation === undefined
            ? undefined
            : `http://${endpoint.replace(/:80$/, '')}${presentation.path}`,
      };
    }
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
  }
  return undefined;
}
