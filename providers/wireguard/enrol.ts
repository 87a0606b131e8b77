import type { EnrolmentInput, Fact, Handout, Observed } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { twinOf } from '../../src/core/ula.ts';
import { renderConf } from '../../src/wire/wireguard.ts';
import type { Settings, Spec } from './spec.ts';

/**
 * With it the app makes a handshake as soon as the tunnel is turned on, which is what `device add` waits for, and what
 * a service pushes over an open connection (a block, a payment) still passes the carrier's NAT, which forgets a silent
 * UDP flow after 30 s. The price is one packet of 32 bytes, only while the tunnel is on.
 */
const PERSISTENT_KEEPALIVE_SECONDS = 25;

/** Both apps and wg-quick name the tunnel like the file: at most 15 characters of this set. */
export function tunnelName(device: string): string {
  return (
    device
      .replace(/[^a-zA-Z0-9_=+.-]/g, '-')
      .replace(/^[.-]+/, '')
      .slice(0, 15) || 'gateway'
  );
}

/** What the app imports. AllowedIPs is the whole pool and its twin in IPv6, so that a later grant needs no new code; the hub enforces grants. */
export function enrol(input: EnrolmentInput<Settings>, observed: readonly Observed<Spec>[]): Handout[] {
  const { device, network, settings } = input;
  const peer = observed.find((found) => found.key === `peer:${device.publicKey}`);
  const own = observed.find(({ spec }) => spec.type === 'interface' && spec.endpoint !== '');
  if (peer?.spec.type !== 'peer' || own === undefined) throw notReady(device.name, device.services);
  const endpoint = settings.endpoint ?? own.facts['dial'];
  if (typeof endpoint !== 'string') throw notFound(device.name, String(own.facts['dialProblem']));
  const conf: Handout = {
    kind: 'wireguard-config',
    label: `WireGuard configuration for ${device.name}`,
    file: `${tunnelName(device.name)}.conf`,
    secret: true,
    text: renderConf({
      privateKey: input.privateKey === '' ? undefined : input.privateKey,
      address: peer.spec.address,
      address6: twinOf(network, peer.spec.address),
      mtu: settings.mtu ?? mtuOf(own.facts['dialMtu']),
      peerPublicKey: String(own.facts['publicKey']),
      presharedKey: input.presharedKey,
      allowedIps: [network.pool, network.ula ?? []].flat(),
      endpoint,
      persistentKeepaliveSeconds: PERSISTENT_KEEPALIVE_SECONDS,
    }),
  };
  return [conf];
}

/** Through a relay a tunnel lies in a tunnel; with any other size the app chooses better. */
function mtuOf(fact: Fact | undefined): number | undefined {
  return typeof fact === 'number' ? fact : undefined;
}

function notReady(device: string, services: readonly string[]): GatewayError {
  return new GatewayError(
    `${device} cannot be enrolled: none of its services (${services.join(', ') || 'none'}) is reachable over WireGuard yet`,
    {
      code: 'NotSupported',
      retry: 'when-changed',
      hint: 'expose one of them first: gateway expose SERVICE --via wireguard',
    },
  );
}

/** A code with an address that nobody can reach would be worse than none. */
function notFound(device: string, problem: string): GatewayError {
  return new GatewayError(`${device} would not know where to find this gateway: ${problem}`, {
    code: 'EndpointUnknown',
    retry: 'when-changed',
    hint: 'see gateway ports, and try again once it is known',
  });
}
