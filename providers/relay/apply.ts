import type { Change, Context } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { formatEndpoint, parseEndpoint } from '../../src/core/inet.ts';
import { tunnelKeyName } from '../../src/core/relay.ts';
import type { TunnelSpec } from '../../src/core/tunnel-operations.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { resolveHost } from './addresses.ts';
import type { Spec, WayResource } from './spec.ts';

export async function apply(change: Change<Spec>, context: Context): Promise<void> {
  const { network, ports, signal } = context;
  if (change.op === 'delete') {
    const { spec } = change.have;
    if (spec.type === 'carry') await ports.carrier.release(spec.relay, signal);
    if (spec.type === 'tunnel') {
      await ports.helper.call('tunnel.remove', { network, number: spec.tunnel.number }, signal);
    }
    return;
  }
  const { spec } = change.want;
  if (spec.type === 'carry') return ports.carrier.carry(spec.relay, spec.carry, signal);
  if (spec.type === 'way') return demandPlace(spec, context);
  // A relay that got another number is nowhere else any more.
  if (change.op === 'update' && change.have.spec.type === 'tunnel') {
    const { number } = change.have.spec.tunnel;
    if (number !== spec.tunnel.number) await ports.helper.call('tunnel.remove', { network, number }, signal);
  }
  return ensureTunnel(spec.tunnel, context);
}

async function ensureTunnel(tunnel: TunnelSpec, { network, ports, signal }: Context): Promise<void> {
  const secret = await ports.keys.read(tunnelKeyName(tunnel.relay), 'curve25519');
  if (secret === undefined) {
    throw new GatewayError(`the key of the tunnel to the relay ${tunnel.relay} is not on disk`, {
      code: 'KeyMissing',
      retry: 'when-changed',
      hint: `restore keys/ from a backup, or: gateway relay remove ${tunnel.relay}, then join it again`,
    });
  }
  const endpoint = await endpointOf(tunnel, { ports, signal });
  const privateKey = encodeKey(secret.reveal());
  await ports.helper.call(
    'tunnel.ensure',
    { network, tunnel, privateKey, ...(endpoint === undefined ? {} : { endpoint }) },
    signal,
  );
}

/** The first that has an address; `undefined`: none can be told now, and the tunnel waits where it is. */
async function endpointOf(
  { endpoints }: TunnelSpec,
  { ports, signal }: Pick<Context, 'ports' | 'signal'>,
): Promise<string | undefined> {
  for (const text of endpoints) {
    const parsed = parseEndpoint(text);
    if (parsed === undefined) continue;
    const [host] = (await resolveHost(parsed.host, ports, signal)) ?? [];
    if (host !== undefined) return formatEndpoint({ host, port: parsed.port });
  }
  return undefined;
}

/** Edge and tunnel came before and did the work; this says whether it is done. */
async function demandPlace(way: WayResource, { network, ports, signal }: Context): Promise<void> {
  if ('domain' in way) {
    const { edge } = await ports.helper.call('edge.observe', {}, signal);
    const isThere = (edge?.tunnels ?? []).some(({ domains }) => domains.includes(way.domain));
    if (isThere) return;
    throw new GatewayError(`HAProxy does not answer at ${way.domain} for ${way.service} yet`, {
      code: 'EdgeUnavailable',
      hint: 'what failed before it says why; it is tried again',
    });
  }
  const { tunnels } = await ports.helper.call('tunnel.observe', { network }, signal);
  if (tunnels.some(({ spec }) => spec.ports.some(({ service }) => service === way.service))) return;
  throw new GatewayError(`port ${way.port} of the tunnel does not lead to ${way.service} yet`, {
    code: 'CommandFailed',
    hint: 'what failed before it says why; it is tried again',
  });
}

export function describe(change: Change<Spec>): string {
  const { spec } = change.op === 'delete' ? change.have : change.want;
  const isGoing = change.op === 'delete';
  switch (spec.type) {
    case 'tunnel':
      return `${isGoing ? 'close' : 'open'} the tunnel to the relay ${spec.tunnel.relay}`;
    case 'carry':
      return isGoing
        ? `tell the relay ${spec.relay} to carry nothing any more`
        : `ask the relay ${spec.relay} to carry ${carriedText(spec.carry)}`;
    case 'way': {
      const where = 'domain' in spec ? spec.domain : `port ${spec.port}`;
      const what = isGoing ? `take ${spec.service} off` : `put ${spec.service} on`;
      return `${what} ${where} of the relay ${spec.relays.join(' and ')}`;
    }
  }
}

function carriedText({ names, ports, devices }: Extract<Spec, { type: 'carry' }>['carry']): string {
  const words = [
    ...names,
    ...ports.map(({ from }) => `port ${from}`),
    ...(devices ? ["devices' WireGuard"] : []),
  ];
  return words.length > 5 ? `${words.length} names and ports` : words.join(', ');
}
