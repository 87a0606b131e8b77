import type { EdgeSpec, EdgeTunnel } from '../core/operations.ts';
import type { EdgeHere } from './edge-config.ts';

/**
 * Doors for visitors that a relay carries. It says who they are by PROXY protocol, and is believed in that alone: it comes
 * by ports of its own, where only the hub may connect, which lets nobody but this relay there; and it is answered for the
 * names that were given to it.
 */

/** A household is one source, whatever the family of its address. */
export const SOURCE = 'src,ipmask(32,64) table gateway.sources';

/** A place where visitors of web names come in. */
export interface Door {
  /** Of its frontends, with `https` or `http` behind it. */
  readonly name: string;
  readonly https: readonly string[];
  readonly http: readonly string[];
  /** When a name is not answered for here: a condition on `req.ssl_sni` or `var(txn.host)`. */
  readonly unless: (name: string) => string | undefined;
}

/** Names that only relays carry. */
export const RELAYED_MAP = 'relayed.map';

/** Files that the configuration reads. */
export function relayMaps({ sites, tunnels = [] }: EdgeSpec): [string, string][] {
  const hidden = sites.filter(({ only }) => only === 'relay').map(({ domain }) => domain);
  const linesOf = (domains: readonly string[]): string =>
    domains.map((domain) => `${domain} relay\n`).join('');
  return [
    ...(hidden.length === 0 ? [] : [[RELAYED_MAP, linesOf(hidden)] as [string, string]]),
    ...tunnels.map((tunnel): [string, string] => [mapOf(tunnel), linesOf(tunnel.domains)]),
  ];
}

export function relayDoors({ tunnels = [], source }: EdgeSpec, { shut = [] }: EdgeHere): Door[] {
  return tunnels
    .filter(({ number }) => !shut.some((each) => each.number === number))
    .map((tunnel) => {
      const { number, from, https, http } = tunnel;
      const linesAt = (port: number): string[] => [
        `    bind ${source}:${port}`,
        `    tcp-request connection reject unless { src ${from} }`,
        '    tcp-request connection expect-proxy layer4',
        // Only now is it known who comes.
        `    tcp-request session track-sc0 ${SOURCE}`,
        '    tcp-request session reject if { sc0_conn_cur gt 500 }',
      ];
      return {
        name: `gateway.relay-${number}`,
        https: linesAt(https),
        http: linesAt(http),
        unless: (name) => `unless { ${name},map(${mapOf(tunnel)}) -m found }`,
      };
    });
}

function mapOf({ number }: EdgeTunnel): string {
  return `relay-${number}.map`;
}
