import { interfaceAddress } from '../core/allocate.ts';
import type { Applied, AppliedService } from '../core/applied.ts';
import { wayOutOf, type WayOut } from '../core/egress.ts';
import { GatewayError } from '../core/errors.ts';
import { textOf } from '../core/flows.ts';
import { isInCidr } from '../core/inet.ts';
import { canonical } from '../core/plan.ts';
import type {
  NamespaceSpec,
  OnionSpec,
  OperationArguments,
  OperationName,
  PeerSpec,
} from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { onionInstanceOf, type TorInstance } from '../core/tor-instance.ts';
import { isWireguardName } from './names.ts';
import { certificateRule, edgeRule, hostsOf } from './policy-edge.ts';
import { flowJudge, isUpstream } from './policy-flows.ts';
import { tunnelRule } from './policy-tunnel.ts';

/**
 * What the helper refuses although it is well formed: everything that would open more than the applied config opens.
 * Removing and looking are always allowed, within our own prefix. Each rule returns what is wrong, or `undefined`.
 */
type Rule<Name extends OperationName> = (
  input: OperationArguments<Name>,
  applied: Applied,
) => string | undefined;

const always = (): undefined => undefined;

const RULES: { readonly [Name in OperationName]: Rule<Name> } = {
  observe: always,
  'hub.ensure': ({ network }) => outside(network, [network.hub, network.edge, network.tor]),
  'hub.remove': always,
  'namespace.ensure': ({ service, spec }, { services }) => namespaceRule(service, spec, services),
  'namespace.ensureAll': ({ namespaces }, { services }) =>
    namespaces
      .map(({ service, spec }) => namespaceRule(service, spec, services))
      .find((wrong) => wrong !== undefined),
  'namespace.remove': always,
  'entered.ensure': ({ service, spec }, { services }) => {
    const { place, address } = services[service] ?? {};
    const isJustified =
      place?.type === 'entered' &&
      place.by === spec.by &&
      place.value === spec.value &&
      address === spec.address;
    return isJustified ? undefined : `entering ${spec.by} ${spec.value} with ${spec.address} for ${service}`;
  },
  'entered.remove': always,
  'entered.watch': always,
  'hostService.ensure': ({ service, spec }, { services }) => {
    const { place, address } = services[service] ?? {};
    const isOnHost = place?.type === 'host' || place?.type === 'target';
    const isJustified = isOnHost && address === spec.address;
    return isJustified ? undefined : `host address ${spec.address} for ${service}`;
  },
  'hostService.remove': always,
  'flows.replace': ({ flows }, applied) => {
    const judge = flowJudge(applied);
    const unjustified = flows.find((flow) => !judge(flow));
    return unjustified === undefined ? undefined : `flow ${textOf(unjustified)}`;
  },
  // Closing is always justified.
  'flows.change': ({ add }, applied) => {
    const judge = flowJudge(applied);
    const unjustified = add.find((flow) => !judge(flow));
    return unjustified === undefined ? undefined : `flow ${textOf(unjustified)}`;
  },
  'flows.cut': ({ network, source, address }) => {
    if (source === undefined && address === undefined) return 'cutting every connection at once';
    return outside(
      network,
      [source, address].filter((each) => each !== undefined),
    );
  },
  'namespace.listeners': ({ services: asked }, { services }) => {
    const isElsewhere = (name: string): boolean => {
      const type = services[name]?.place.type;
      return type !== 'namespace' && type !== 'entered' && type !== 'host';
    };
    const stray = asked.find(isElsewhere);
    return stray === undefined ? undefined : `looking at the sockets of ${stray}`;
  },
  'wireguard.ensure': ({ network, name, listenPort, address }, { ports }) => {
    if (!isWireguardName(name, network)) return `WireGuard interface ${name}`;
    if (!ports.includes(listenPort)) return `WireGuard on UDP port ${listenPort}`;
    const isOwn = address === interfaceAddress(network.pool);
    return isOwn ? undefined : `a WireGuard interface with the address ${address}`;
  },
  'wireguard.remove': ({ network, name }) => wireguardName(name, network),
  'wireguard.setPeers': ({ network, name, peers }, { devices }) => {
    const textOfPeer = (peer: PeerSpec): string => `${peer.publicKey} with ${peer.address}`;
    const known = new Set(devices.map(textOfPeer));
    const stray = peers.find((peer) => !known.has(textOfPeer(peer)));
    if (stray !== undefined) return `peer ${textOfPeer(stray)}`;
    const addresses = peers.map(({ address }) => address);
    return wireguardName(name, network) ?? outside(network, addresses);
  },
  'wireguard.removePeer': ({ network, name }) => wireguardName(name, network),
  'wireguard.ensureProbe': ({ network, name, publicKey }, { devices, ports }) => {
    if (ports.length === 0) return 'proving a WireGuard interface';
    const isDevice = devices.some((device) => device.publicKey === publicKey);
    return isDevice ? `proving an interface as device ${publicKey}` : wireguardName(name, network);
  },
  'wireguard.removeProbe': ({ network, name }) => wireguardName(name, network),
  'tor.writeOnion': ({ instance, onion }, { services }) => onionRule(onion, instance, services),
  'tor.removeOnion': always,
  'tor.drain': always,
  'tor.cut': always,
  'tor.write': ({ instance, torrc }, { services, network }) => {
    if (torrc.source !== network.tor) return `tor with source address ${torrc.source}`;
    if (torrc.pool !== network.pool) return `tor for the pool ${torrc.pool}`;
    const isAsked = Object.values(services).some((service) => wayOut(service) === instance);
    if (torrc.isWayOut === true && !isAsked) return `${instance} as a way out`;
    return torrc.onions
      .map((onion) => onionRule(onion, instance, services))
      .find((wrong) => wrong !== undefined);
  },
  'tor.observe': always,
  'tor.load': always,
  'tor.announce': always,
  'tor.stop': always,
  'edge.write': ({ edge }, applied) => edgeRule(edge, applied),
  'edge.observe': always,
  'edge.load': always,
  'edge.stop': always,
  'edge.proved': ({ name }, { services }) => certificateRule(name, services),
  'edge.cut': always,
  'edge.client': ({ client }, { clients = [] }) => {
    const isJustified = clients.some((known) => canonical(known) === canonical(client));
    return isJustified ? undefined : `letting ${client.name} in at ${client.services.join(', ')}`;
  },
  'edge.client.remove': always,
  'edge.certificate': ({ name }, { services }) => certificateRule(name, services),
  'edge.certificate.remove': always,
  'edge.challenge': ({ name }, { services }) => certificateRule(name, services),
  'edge.challenge.remove': always,
  'egress.ensure': ({ egress }, { services }) => {
    const unjustified = egress.services.find(({ service: name, address, by }) => {
      const service = services[name];
      return service?.place.type !== 'namespace' || service.address !== address || wayOut(service) !== by;
    });
    if (unjustified === undefined) return undefined;
    return `letting ${unjustified.service} (${unjustified.address}) out by ${unjustified.by}`;
  },
  'egress.remove': always,
  'egress.watch': always,
  'tunnel.ensure': ({ tunnel }, applied) => tunnelRule(tunnel, applied),
  'tunnel.remove': always,
  'tunnel.observe': always,
  'tunnel.cut': always,
  'tunnel.dial': ({ number }, { tunnels = [] }) =>
    tunnels.some((tunnel) => tunnel.number === number) ? undefined : `dialling relay ${number}`,
  'tunnel.handshakes': always,
  'tunnel.visitors': always,
};

/** Before the first `up` there is nothing to compare with; these change nothing or only remove. */
const WITHOUT_APPLIED: ReadonlySet<OperationName> = new Set<OperationName>([
  'observe',
  'hub.remove',
  'namespace.remove',
  'entered.remove',
  'hostService.remove',
  'wireguard.remove',
  'wireguard.removePeer',
  'wireguard.removeProbe',
  'tor.observe',
  'tor.removeOnion',
  'tor.cut',
  'tor.stop',
  'edge.observe',
  'edge.stop',
  'edge.cut',
  'edge.client.remove',
  'edge.certificate.remove',
  'edge.challenge.remove',
  'egress.remove',
  'tunnel.remove',
  'tunnel.cut',
  'tunnel.observe',
]);

/** Throws `HelperRefused` unless the applied config justifies the operation. */
export function checkPolicy<Name extends OperationName>(
  name: Name,
  input: OperationArguments<Name>,
  applied: Applied | undefined,
): void {
  if (applied === undefined) {
    if (WITHOUT_APPLIED.has(name)) return;
    throw refused(name, 'no config was applied yet');
  }
  if ('network' in input && !sameNetwork(input.network, applied.network)) {
    throw refused(name, `the applied config has another network than ${JSON.stringify(input.network)}`);
  }
  const rule: Rule<Name> = RULES[name];
  const wrong = rule(input, applied);
  if (wrong !== undefined) throw refused(name, `the applied config does not justify ${wrong}`);
}

function refused(name: string, why: string): GatewayError {
  return new GatewayError(`the helper refused ${name}: ${why}`, {
    code: 'HelperRefused',
    retry: 'when-changed',
    hint: 'run gateway up; if this comes again, the daemon asks for more than gateway.yaml says: report it',
  });
}

/** Less than was applied may be asked for: a kernel that has no IPv6 any more. */
function sameNetwork(a: Network, b: Network): boolean {
  const isSame =
    a.prefix === b.prefix && a.pool === b.pool && a.hub === b.hub && a.edge === b.edge && a.tor === b.tor;
  return isSame && (a.ula === undefined || a.ula === b.ula);
}

function outside(network: Network, addresses: readonly string[]): string | undefined {
  const stray = addresses.find((address) => !isInCidr(address, network.pool));
  return stray === undefined ? undefined : `${stray}, which is outside the pool ${network.pool}`;
}

function wireguardName(name: string, network: Network): string | undefined {
  return isWireguardName(name, network) ? undefined : `touching interface ${name}`;
}

function namespaceRule(
  service: string,
  spec: NamespaceSpec,
  services: Readonly<Record<string, AppliedService>>,
): string | undefined {
  const { place, address, port, egress } = services[service] ?? {};
  const isJustified =
    place?.type === 'namespace' &&
    (spec.egress === undefined || spec.egress === egress) &&
    place.name === spec.namespace &&
    address === spec.address &&
    port === spec.port;
  const stray = (spec.upstreams ?? []).find((upstream) => !isUpstream(service, upstream, services));
  if (stray !== undefined) return `connections of ${service} to ${stray.address}:${stray.port}`;
  const { namespace } = spec;
  return isJustified ? undefined : `namespace ${namespace} with ${spec.address}:${spec.port} for ${service}`;
}

/** An onion may lead to the service's own port and nowhere else. */
function wayOut({ egress, privacy = 'open' }: AppliedService): WayOut | undefined {
  return egress === undefined ? undefined : wayOutOf(egress, privacy);
}

function onionRule(
  onion: OnionSpec,
  instance: TorInstance,
  services: Readonly<Record<string, AppliedService>>,
): string | undefined {
  const { host, port } = onion.target;
  const service = services[onion.service];
  const isJustified = service !== undefined && port === service.port && hostsOf(service).includes(host);
  if (!isJustified) return `an onion service ${onion.service} that leads to ${host}:${port}`;
  // The tor of one privacy never holds a key of the other, and none stops to hide where it is by itself.
  const { privacy = 'open', isSingleHop = false } = service;
  if (instance !== onionInstanceOf({ privacy }, isSingleHop)) {
    return `an onion service ${onion.service} in the process ${instance}`;
  }
  return clientRule(onion, service);
}

/** Who may come in: nobody whom the config does not name, and not everybody where it names some. */
function clientRule(
  { service, authorization }: OnionSpec,
  { onionClients }: AppliedService,
): string | undefined {
  if (onionClients === undefined) return undefined;
  if (authorization === undefined) return `an onion service ${service} that lets everybody in`;
  const known = new Set(onionClients.map(({ name, key }) => `${name} ${key}`));
  const stranger = authorization.clients.find(({ name, key }) => !known.has(`${name} ${key}`));
  return stranger === undefined ? undefined : `an onion service ${service} that lets ${stranger.name} in`;
}
