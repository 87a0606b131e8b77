import type { MappingProtocol } from '../../src/core/mapping.ts';
import { parseTopology, type Topology } from '../../src/lab/index.ts';

/** Of the outermost router. */
export const OUTSIDE = '11.2.0.2';

/**
 * Routers from the inside out, each with miniupnpd, which speaks the named protocols. Those inside have a private address
 * outside, with which it opens nothing; they are set up as people do then: they tell the address that the world sees.
 * Outside there is a host, and a phone behind a carrier's NAT.
 */
export function nestedRouters(routers: readonly (readonly MappingProtocol[])[]): Topology {
  const nodes: Record<string, unknown> = {
    home: { defaultRoute: '192.168.50.1' },
    outside: { kind: 'router' },
    carrier: { kind: 'router', defaultRoute: '11.3.0.1', nat: { outside: 'trunk' } },
    phone: { defaultRoute: '100.65.0.1' },
  };
  const networks: Record<string, Record<string, string>> = {
    lan0: { home: '192.168.50.10/24' },
    trunk: { outside: '11.3.0.1/24', carrier: '11.3.0.2/24' },
    mobile: { carrier: '100.65.0.1/16', phone: '100.65.0.2/16' },
  };
  for (const [index, protocols] of routers.entries()) {
    const isLast = index === routers.length - 1;
    const outer = isLast ? 'uplink' : `lan${index + 1}`;
    nodes[`router${index}`] = {
      kind: 'router',
      nat: { outside: outer },
      defaultRoute: isLast ? '11.2.0.1' : `192.168.${49 - index}.1`,
      services: [
        { type: 'port-mapping', inside: `lan${index}`, protocols, ...(isLast ? {} : { tells: OUTSIDE }) },
      ],
    };
    networks[`lan${index}`] = {
      ...networks[`lan${index}`],
      [`router${index}`]: `192.168.${50 - index}.1/24`,
    };
    networks[outer] = { [`router${index}`]: isLast ? `${OUTSIDE}/24` : `192.168.${49 - index}.10/24` };
  }
  networks['uplink'] = { ...networks['uplink'], outside: '11.2.0.1/24' };
  return parseTopology({ nodes, networks }, `${routers.length} routers deep`);
}
