import { GatewayError } from '../core/errors.ts';
import type { OperationArguments } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import type { TunnelSpec } from '../core/tunnel-operations.ts';
import { nodeCrypto } from '../system/crypto.ts';
import { inNetns, ipBatch, isNetns, removeLink } from '../system/netns.ts';
import { loadRules } from '../system/nft.ts';
import { run } from '../system/run.ts';
import { decodeKey, type DumpedPeer, encodeKey, type WireguardDump } from '../wire/wireguard.ts';
import { formatAlias, parseAlias, TunnelAlias } from './alias.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { listRules } from './links.ts';
import { cut } from './hub.ts';
import { hubNetns, ownerOf } from './names.ts';
import { withSecretFile } from './secret-file.ts';
import { addressTunnel, ensureTunnelLink, findTunnelLink } from './tunnel-link.ts';
import { listTunnelMarks, removeTunnelMark, writeTunnelMark } from './tunnel-marks.ts';
import { filterOf } from './tunnel-observe.ts';
import { markOf, tunnelLink, tunnelRouting, tunnelRules, tunnelTable } from './tunnel-rules.ts';
import { waitUntilBound } from './wireguard-configure.ts';
import { stopWireguardGo } from './wireguard-go.ts';
import { dumpInterface } from './wireguard-links.ts';
import { demandHub } from './wireguard.ts';

type Ensure = OperationArguments<'tunnel.ensure'>;

/** Often enough for a NAT in between that forgets UDP after half a minute. */
const KEEPALIVE_SECONDS = 25;
const EVERYBODY = '0.0.0.0/0';

/**
 * The packet filter stands before the interface is there, and the peer comes last: nothing gets in that was not declared.
 * The interface is made where we run, where its UDP socket stays, and moved into the hub.
 */
export const ensureTunnel: Handler<'tunnel.ensure'> = async (input, environment, signal) => {
  const { network, tunnel } = input;
  const hub = await demandHub(network);
  const before = (await listTunnelMarks(environment, network)).find(
    (mark) => mark.tunnel.number === tunnel.number,
  );
  await refuseForeign(network, tunnel.number, environment, signal);
  await writeTunnelMark(environment, network, { tunnel });
  if (before !== undefined && !isSameRelay(before.tunnel, tunnel))
    await cutTunnel(network, tunnel.number, signal);
  await loadRules(hub, tunnelRules(tunnel, network), signal);
  const name = tunnelLink(network, tunnel.number);
  const { implementation, isNew } = await ensureTunnelLink(network, name, environment, signal);
  await addressTunnel(tunnel, network, signal);
  const dump = isNew
    ? await waitUntilBound(network, name, signal)
    : await dumpInterface(network, { name, place: 'hub' }, signal);
  await setPeer(input, dump, environment, signal);
  const alias = formatAlias({ owner: ownerOf(environment), relay: tunnel.relay });
  await run(inNetns(hub, ['ip', 'link', 'set', 'dev', name, 'alias', alias]), { signal });
  await writeTunnelMark(environment, network, {
    tunnel,
    filter: await filterOf(network, tunnel.number, signal),
  });
  return { implementation };
};

function isSameRelay(a: TunnelSpec, b: TunnelSpec): boolean {
  return a.publicKey === b.publicKey && a.address === b.address;
}

async function refuseForeign(
  network: Network,
  number: number,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const name = tunnelLink(network, number);
  const found = await findTunnelLink(network, name, signal);
  const alias = parseAlias(found?.link.ifalias, TunnelAlias);
  if (alias === undefined || alias.owner === ownerOf(environment)) return;
  throw new GatewayError(`interface ${name} is not ours: another gateway on this machine made it`, {
    code: 'AlreadyExists',
    retry: 'when-changed',
    hint: 'give this gateway another prefix in gateway.yaml',
  });
}

/** Only what differs from what it said of itself: the session goes on when nothing changes. */
async function setPeer(
  { network, tunnel, privateKey, endpoint }: Ensure,
  dump: WireguardDump | undefined,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const name = tunnelLink(network, tunnel.number);
  const set = (...words: string[]) =>
    run(inNetns(hubNetns(network), ['wg', 'set', name, ...words]), { signal });
  const secret = decodeKey(privateKey) ?? new Uint8Array(32);
  const isOtherKey = dump?.publicKey !== encodeKey(nodeCrypto.curve25519Public(secret));
  if (isOtherKey) {
    await withSecretFile(environment.directories.run, `${privateKey}\n`, (path) => set('private-key', path));
  }
  const peers = dump?.peers ?? [];
  const others = peers.filter(({ publicKey }) => publicKey !== tunnel.publicKey);
  for (const { publicKey } of others) await set('peer', publicKey, 'remove');
  if (!isOtherKey && peers.some((peer) => isAsWanted(peer, tunnel, endpoint))) return;
  // With another key the relay does not know where we are. A keepalive that begins is sent at once.
  if (isOtherKey && peers.some(({ publicKey }) => publicKey === tunnel.publicKey))
    await set('peer', tunnel.publicKey, 'persistent-keepalive', '0');
  await set(...peerWords(tunnel, endpoint));
}

function peerWords({ publicKey }: TunnelSpec, endpoint: string | undefined): string[] {
  const there = endpoint === undefined ? [] : ['endpoint', endpoint];
  const rest = ['allowed-ips', EVERYBODY, 'persistent-keepalive', String(KEEPALIVE_SECONDS)];
  return ['peer', publicKey, ...there, ...rest];
}

/** Where it is dialled already it stays: that may be the one place that answers (tunnel.dial). */
function isAsWanted(peer: DumpedPeer, { publicKey }: TunnelSpec, endpoint: string | undefined): boolean {
  const isSet = peer.allowedIps.join() === EVERYBODY && peer.keepaliveSeconds === KEEPALIVE_SECONDS;
  return peer.publicKey === publicKey && isSet && (endpoint === undefined || peer.endpoint !== undefined);
}

/** A peer that is new is sent a packet at once, and that needs a session. */
export const dialTunnel: Handler<'tunnel.dial'> = async (
  { network, number, endpoint },
  environment,
  signal,
) => {
  const marks = await listTunnelMarks(environment, network);
  const tunnel = marks.find((mark) => mark.tunnel.number === number)?.tunnel;
  if (tunnel === undefined) return {};
  const name = tunnelLink(network, number);
  const set = (...words: string[]) =>
    run(inNetns(hubNetns(network), ['wg', 'set', name, ...words]), { signal });
  await set('peer', tunnel.publicKey, 'remove');
  await set(...peerWords(tunnel, endpoint));
  return {};
};

export const removeTunnel: Handler<'tunnel.remove'> = async ({ network, number }, environment, signal) => {
  await refuseForeign(network, number, environment, signal);
  const [hub, name] = [hubNetns(network), tunnelLink(network, number)];
  await stopWireguardGo(name, signal);
  await removeLink(undefined, name, signal);
  if (await isNetns(hub)) {
    await removeLink(hub, name, signal);
    const present = new Set(await listRules(hub, signal, '-4'));
    const mine = tunnelRouting(number).filter((rule) => present.has(rule));
    await ipBatch(
      hub,
      mine.map((rule) => `rule del ${rule}`),
      signal,
      '-4',
    );
    await cutTunnel(network, number, signal);
    // Last: what is open passes the hub by its mark alone.
    const table = tunnelTable(number);
    await loadRules(hub, `add table inet ${table}\ndelete table inet ${table}\n`, signal);
  }
  await removeTunnelMark(environment, network, number);
  return {};
};

/** Another relay may get the number: nothing of the one before may be open then. */
async function cutTunnel(network: Network, number: number, signal: AbortSignal): Promise<void> {
  await cut(network, ['--mark', String(markOf(number))], signal);
}

export const cutTunnelPort: Handler<'tunnel.cut'> = async (
  { network, number, port },
  _environment,
  signal,
) => {
  if (!(await isNetns(hubNetns(network)))) return {};
  const filter = ['--mark', String(markOf(number)), '-p', 'tcp', '--orig-port-dst', String(port)];
  await cut(network, filter, signal);
  return {};
};
