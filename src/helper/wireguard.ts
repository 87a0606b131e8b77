import { createHash } from 'node:crypto';
import { deviceBlock } from '../core/allocate.ts';
import { GatewayError } from '../core/errors.ts';
import type { OperationArguments, Peer, WireguardInterface } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { deviceBlock6, hostBlocks } from '../core/ula.ts';
import { inNetns, ipBatch, isNetns, removeLink } from '../system/netns.ts';
import { run } from '../system/run.ts';
import { decodeKey, type DumpedPeer, type WireguardDump } from '../wire/wireguard.ts';
import { ownAddresses } from './addressing.ts';
import { isProbe } from '../wire/wireguard-probe.ts';
import { formatAlias, type WireguardAlias } from './alias.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { hubNetns, ownerOf } from './names.ts';
import { saveEndpoints } from './wireguard-endpoints.ts';
import { startWireguardGo, stopWireguardGo } from './wireguard-go.ts';
import { setKeyAndPort, waitUntilBound } from './wireguard-configure.ts';
import {
  aliasInHub,
  dumpInterface,
  findWireguardLinks,
  isOwnName,
  type WireguardLink,
} from './wireguard-links.ts';

type Ensure = OperationArguments<'wireguard.ensure'>;

/**
 * The interface is made where we run and then moved into the hub: its UDP socket stays here, so that the phones' packets
 * need no forwarding. Each step looks first, so what runs is not disturbed and what was half made is completed; the alias
 * is set last and says that it is whole.
 */
export const ensureWireguard: Handler<'wireguard.ensure'> = async (input, environment, signal) => {
  const { network, name } = input;
  const hub = await demandHub(network);
  const found = await findAnswering(network, name, environment, signal);
  const link = found ?? (await create(name, environment, signal));
  const moved = link.place === 'host';
  if (moved) await run(['ip', 'link', 'set', 'dev', name, 'netns', hub], { signal });
  const isUp = link.isUp && !moved;
  if (!isUp && found !== undefined) await forgetPort(hub, name, signal);
  await setAddress(input, link, signal);
  const dump = isUp
    ? await dumpInterface(network, { name, place: 'hub' }, signal)
    : await waitUntilBound(network, name, signal);
  await setKeyAndPort(input, dump, environment, signal);
  const alias = formatAlias({ owner: ownerOf(environment), endpoint: input.endpoint });
  await run(inNetns(hub, ['ip', 'link', 'set', 'dev', name, 'alias', alias]), { signal });
  return { implementation: link.implementation };
};

/** One whose process hangs is made anew: nobody gets in through it, and it could not be told anything. */
async function findAnswering(
  network: Network,
  name: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<WireguardLink | undefined> {
  const link = await findLink(network, name, environment, signal);
  if (link === undefined || (await dumpInterface(network, link, signal)) !== undefined) return link;
  environment.log('warn', 'a WireGuard interface does not answer and is made anew', { interface: name });
  await stopWireguardGo(name, signal);
  await removeLink(link.place === 'hub' ? hubNetns(network) : undefined, name, signal);
  return undefined;
}

/**
 * Until it is up a port can be taken without anybody being told; so it comes up on any port and is given its own then. A
 * new one has none yet.
 */
async function forgetPort(hub: string, name: string, signal: AbortSignal): Promise<void> {
  await run(inNetns(hub, ['wg', 'set', name, 'listen-port', '0']), { signal });
}

async function setAddress(input: Ensure, link: WireguardLink, signal: AbortSignal): Promise<void> {
  const { network, name, address } = input;
  const own = hostBlocks(network, address);
  const old = link.addresses.filter((each) => !own.includes(each));
  const routed = [deviceBlock(network.pool), deviceBlock6(network) ?? []].flat();
  const lines = [
    ...old.map((each) => `addr del ${each} dev ${name}`),
    ...ownAddresses(network, address, name),
    `link set dev ${name} up`,
    ...routed.map((block) => `route replace ${block} dev ${name}`),
  ];
  await ipBatch(hubNetns(network), lines, signal);
}

/** Asking costs a program and makes the kernel look for the module; who installs one has it used this much later. */
const ASK_KERNEL_AGAIN_MS = 10 * 60_000;
let kernelLackedItAt = -Infinity;

/** It is with us, and as bare as a new link is. */
async function create(
  name: string,
  environment: Pick<HelperEnvironment, 'paths' | 'log'>,
  signal: AbortSignal,
): Promise<WireguardLink> {
  const implementation = await createInterface(name, environment, signal);
  const bare = { isUp: false, addresses: [], isRouted: false, alias: undefined };
  return { name, place: 'host', implementation, ...bare };
}

/** In the namespace that we run in. */
export async function createInterface(
  name: string,
  environment: Pick<HelperEnvironment, 'paths' | 'log'>,
  signal: AbortSignal,
): Promise<WireguardLink['implementation']> {
  const implementation = (await createInKernel(name, signal)) ? 'kernel' : 'wireguard-go';
  if (implementation === 'wireguard-go') await startWireguardGo(name, environment, signal);
  environment.log('info', 'made a WireGuard interface', { interface: name, implementation });
  return implementation;
}

/** False when the kernel has no WireGuard. */
async function createInKernel(name: string, signal: AbortSignal): Promise<boolean> {
  if (performance.now() - kernelLackedItAt < ASK_KERNEL_AGAIN_MS) return false;
  const ran = await run(['ip', 'link', 'add', 'dev', name, 'type', 'wireguard'], {
    signal,
    accept: [0, 1, 2],
  });
  if (ran.exitCode === 0) return true;
  if (!/unknown device type|not supported/i.test(ran.stderr)) throw notMade(name, ran.stderr);
  kernelLackedItAt = performance.now();
  return false;
}

function notMade(name: string, said: string): GatewayError {
  return new GatewayError(`WireGuard interface ${name} could not be made: ${said.trim()}`, {
    code: 'CommandFailed',
    hint: `look what uses the name: ip link show ${name}`,
  });
}

export const removeWireguard: Handler<'wireguard.remove'> = async (
  { network, name },
  environment,
  signal,
) => {
  await findLink(network, name, environment, signal);
  await stopWireguardGo(name, signal);
  const hub = hubNetns(network);
  if (await isNetns(hub)) await removeLink(hub, name, signal);
  const left = await findLink(network, name, environment, signal);
  if (left !== undefined) await removeLink(undefined, name, signal);
  return {};
};

/** Every interface with a name of ours. One that is half made, down or not routed has no address: it must be ensured. */
export async function observeWireguard(
  network: Network,
  environment: HelperEnvironment,
  signal: AbortSignal,
  standing: Promise<boolean>,
): Promise<WireguardInterface[]> {
  const links = await findWireguardLinks(network, signal, standing);
  const owner = ownerOf(environment);
  const ours = links.filter((link) => link.alias === undefined || link.alias.owner === owner);
  return Promise.all(
    ours.map(async (link) => {
      const dump = await dumpInterface(network, link, signal);
      // Also of those that are about to be set again because the gateway's IPv6 changed.
      const peers = (dump?.peers ?? []).map((peer) => ({ ...peer, address: ipv4Of(peer) }));
      await saveEndpoints(environment, link.name, peers, Date.now() / 1000);
      return describeLink(network, link, dump);
    }),
  );
}

const SILENT: WireguardDump = { publicKey: '', listenPort: 0, peers: [] };

function describeLink(
  network: Network,
  link: WireguardLink,
  dump: WireguardDump | undefined,
): WireguardInterface {
  const { name, place, implementation, alias, isUp, isRouted, addresses } = link;
  const { publicKey, listenPort, peers } = dump ?? SILENT;
  const [address = ''] = (addresses[0] ?? '').split('/');
  const isAddressed = sameBlocks(addresses, hostBlocks(network, address));
  const isWhole = place === 'hub' && alias !== undefined && isUp && isRouted && isAddressed;
  return {
    name,
    implementation,
    address: isWhole ? address : '',
    endpoint: alias?.endpoint ?? '',
    publicKey,
    listenPort,
    peers: peers.filter((peer) => !isProbe(peer, publicKey)).map((peer) => describePeer(network, peer)),
  };
}

function describePeer(network: Network, peer: DumpedPeer): Peer {
  const { publicKey, presharedKey = '', endpoint, latestHandshake, received, sent } = peer;
  const secret = decodeKey(presharedKey);
  return {
    publicKey,
    address: addressOf(network, peer),
    presharedKeyHash: secret === undefined ? '' : createHash('sha3-256').update(secret).digest('hex'),
    ...(endpoint === undefined ? {} : { endpoint }),
    latestHandshake,
    received,
    sent,
  };
}

/** Empty unless it is exactly one host, as we set it: what was set before there was IPv6 is set again. */
function addressOf(network: Network, peer: DumpedPeer): string {
  const address = ipv4Of(peer);
  return sameBlocks(peer.allowedIps, hostBlocks(network, address)) ? address : '';
}

/** Empty when it has none. */
export function ipv4Of({ allowedIps }: DumpedPeer): string {
  return (allowedIps.find((block) => block.endsWith('/32')) ?? '').replace('/32', '');
}

/** The kernel tells them in another order than wireguard-go. */
function sameBlocks(some: readonly string[], others: readonly string[]): boolean {
  return [...some].sort().join() === [...others].sort().join();
}

async function findLink(
  network: Network,
  name: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<WireguardLink | undefined> {
  refuseForeignName(network, name);
  const link = (await findWireguardLinks(network, signal)).find((each) => each.name === name);
  refuseForeign(name, link?.alias, environment);
  return link;
}

function refuseForeignName(network: Network, name: string): void {
  if (!isOwnName(network, name)) throw foreign(name, `its name does not start with ${network.prefix}wg`);
}

function refuseForeign(
  name: string,
  alias: WireguardAlias | undefined,
  environment: HelperEnvironment,
): void {
  if (alias === undefined || alias.owner === ownerOf(environment)) return;
  throw foreign(name, 'another gateway on this machine made it');
}

function foreign(name: string, why: string): GatewayError {
  return new GatewayError(`interface ${name} is not ours: ${why}`, {
    code: 'AlreadyExists',
    retry: 'when-changed',
    hint: 'give this gateway another prefix in gateway.yaml',
  });
}

export async function demandHub(network: Network): Promise<string> {
  const hub = hubNetns(network);
  if (await isNetns(hub)) return hub;
  throw new GatewayError(`the hub namespace ${hub} does not exist yet`, { code: 'CommandFailed' });
}

/** `undefined` when there is no such interface in the hub, or nobody answers for it. */
export async function dumpInHub(
  network: Network,
  name: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<WireguardDump | undefined> {
  refuseForeignName(network, name);
  const found = await aliasInHub(network, name, signal);
  if (found === undefined) return undefined;
  refuseForeign(name, found.alias, environment);
  return dumpInterface(network, { name, place: 'hub' }, signal);
}

export async function demandDump(
  network: Network,
  name: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<WireguardDump> {
  const dump = await dumpInHub(network, name, environment, signal);
  if (dump !== undefined) return dump;
  throw new GatewayError(`WireGuard interface ${name} is not there or does not answer`, {
    code: 'CommandFailed',
  });
}
