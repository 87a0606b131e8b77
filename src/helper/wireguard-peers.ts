import type { OperationArguments, PeerSpec } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { hostBlocks, twinOf } from '../core/ula.ts';
import { inNetns } from '../system/netns.ts';
import { run } from '../system/run.ts';
import { type PeerConf, renderPeers, wakeAt } from '../wire/wireguard-peers.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { cutFlows } from './hub.ts';
import { hubNetns } from './names.ts';
import { withSecretFile } from './secret-file.ts';
import { demandDump, demandHub, dumpInHub, ipv4Of } from './wireguard.ts';
import { forgetEndpoint, type LastSeen, readEndpoints } from './wireguard-endpoints.ts';
import { dumpInterface } from './wireguard-links.ts';

type NewPeer = OperationArguments<'wireguard.setPeers'>['peers'][number];

/**
 * Sessions of other peers go on; one that has the same address loses it. A peer that is new to the interface is told
 * where it was last and sent a packet: a phone that had a session waits 15 s before it begins a new one by itself.
 */
export const setPeers: Handler<'wireguard.setPeers'> = async (input, environment, signal) => {
  const { network, name, peers } = input;
  await demandHub(network);
  const before = await demandDump(network, name, environment, signal);
  const known = new Set(before.peers.map(({ publicKey }) => publicKey));
  const lastSeen = await readEndpoints(environment, name);
  const confs = peers.map((peer) =>
    confOf(network, peer, known.has(peer.publicKey) ? undefined : lastSeen.get(peer.publicKey)),
  );
  // Whoever had an address before may have left connections open; the same device may go on.
  const strangers = peers.filter(
    ({ publicKey, address }) => !known.has(publicKey) && lastSeen.get(publicKey)?.address !== address,
  );
  await cutEach(strangers, network, environment, signal);
  await addPeers(network, name, confs, environment, signal);
  return {};
};

function confOf(
  network: Network,
  { publicKey, address, presharedKey }: NewPeer,
  last: LastSeen | undefined,
): PeerConf {
  const endpoint = last?.address === address ? last.endpoint : undefined;
  return { publicKey, presharedKey, allowedIps: hostBlocks(network, address), ...wakeAt(endpoint) };
}

/** One process however many peers. */
export async function addPeers(
  network: Network,
  name: string,
  peers: readonly PeerConf[],
  { directories }: Pick<HelperEnvironment, 'directories'>,
  signal: AbortSignal,
): Promise<void> {
  if (peers.length === 0) return;
  await withSecretFile(directories.run, renderPeers(peers), (path) =>
    run(inNetns(hubNetns(network), ['wg', 'addconf', name, path]), { signal }),
  );
}

/** Ends the keepalives that woke peers up: more than the first packet is the device's own affair. */
export async function silencePeers(
  network: Network,
  name: string,
  environment: Pick<HelperEnvironment, 'directories'>,
  signal: AbortSignal,
): Promise<void> {
  const dump = await dumpInterface(network, { name, place: 'hub' }, signal);
  const awake = (dump?.peers ?? []).flatMap(({ publicKey, presharedKey, allowedIps, keepaliveSeconds }) =>
    keepaliveSeconds === 0 || presharedKey === undefined
      ? []
      : [{ publicKey, presharedKey, allowedIps, keepaliveSeconds: 0 }],
  );
  await addPeers(network, name, awake, environment, signal);
}

/** Many at once come after a power cut, when few or none have anything open: one look tells which. */
async function cutEach(
  peers: readonly PeerSpec[],
  network: Network,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  if (peers.length === 0) return;
  const families = network.ula === undefined ? ['ipv4'] : ['ipv4', 'ipv6'];
  const listed = await Promise.all(
    families.map(async (family) => {
      const argv = inNetns(hubNetns(network), ['conntrack', '-L', '-f', family]);
      return (await run(argv, { signal })).stdout;
    }),
  );
  const lines = listed.join('\n').split('\n');
  const sources = new Set(lines.map((line) => /\ssrc=(\S+)/.exec(line)?.[1] ?? ''));
  for (const { address: source } of peers) {
    const isOpen = [source, twinOf(network, source) ?? source].some((each) => sources.has(each));
    if (isOpen) await cutFlows({ network, source }, environment, signal);
  }
}

/** Cuts at once: without a peer there is no session, and without its entries in the hub no open connection. */
export const removePeer: Handler<'wireguard.removePeer'> = async (input, environment, signal) => {
  const { network, name, publicKey } = input;
  await forgetEndpoint(environment, name, publicKey);
  const dump = await dumpInHub(network, name, environment, signal);
  const peer = dump?.peers.find((each) => each.publicKey === publicKey);
  if (peer === undefined) return {};
  await run(inNetns(hubNetns(network), ['wg', 'set', name, 'peer', publicKey, 'remove']), { signal });
  const source = ipv4Of(peer);
  if (source !== '') await cutFlows({ network, source }, environment, signal);
  return {};
};
