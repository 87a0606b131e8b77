import { type RelayCarry, USUAL_TUNNEL_MTU } from '../../src/core/relay-carry.ts';
import type { TunnelPort, TunnelSpec } from '../../src/core/tunnel-operations.ts';
import type { UsedRelay } from './compile.ts';
import type { Way } from './read.ts';
import { edgePorts } from './spec.ts';

/** One relay's tunnel: what may come in by it is what these ways need. */
export function tunnelOf({ relay, number, devices }: UsedRelay, ways: readonly Way[]): TunnelSpec {
  const { publicKey, endpoints, address, relayAddress, mtu = USUAL_TUNNEL_MTU } = relay.tunnel;
  const ports = ways.flatMap(portOf).sort((a, b) => a.port - b.port);
  const hasPages = ways.some(({ spec }) => 'domain' in spec);
  return {
    relay: relay.name,
    number,
    publicKey,
    endpoints: [...endpoints],
    address,
    relayAddress,
    mtu,
    ...(hasPages ? { web: edgePorts(number) } : {}),
    ports,
    ...(devices === undefined ? {} : { devices: devices.port }),
  };
}

function portOf({ spec, service }: Way): TunnelPort[] {
  if (!('port' in spec)) return [];
  const { name, address, port, place } = service;
  const to = { address, port };
  return [
    {
      port: spec.port,
      service: name,
      to,
      ...(place.type === 'entered' ? { isFromHub: true as const } : {}),
    },
  ];
}

/** What the relay is asked for: complete, and in one order. */
export function carryOf({ devices }: Pick<UsedRelay, 'devices'>, ways: readonly Way[]): RelayCarry {
  const names = ways.flatMap(({ spec }) => ('domain' in spec ? [spec.domain] : []));
  const ports = ways.flatMap(({ spec }) => ('port' in spec ? [spec.port] : []));
  return {
    names: [...new Set(names)].sort(),
    ports: [...new Set(ports)].sort((a, b) => a - b).map((from) => ({ protocol: 'tcp', from })),
    devices: devices !== undefined,
  };
}
