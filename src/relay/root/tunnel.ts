import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../../core/errors.ts';
import { overlaps, parseCidr } from '../../core/inet.ts';
import type { HelperEnvironment } from '../../helper/environment.ts';
import { withSecretFile } from '../../helper/secret-file.ts';
import { createInterface } from '../../helper/wireguard.ts';
import { stopWireguardGo } from '../../helper/wireguard-go.ts';
import { dumpIn } from '../../helper/wireguard-links.ts';
import { nodeCrypto } from '../../system/crypto.ts';
import { readFileIfExists, writeFileAtomic } from '../../system/files.ts';
import { ipShow } from '../../system/ip-show.ts';
import { removeLink } from '../../system/netns.ts';
import { run } from '../../system/run.ts';
import { decodeKey, encodeKey, type WireguardDump } from '../../wire/wireguard.ts';
import { address6In, addressIn, block6From, blockFrom, RELAY_NUMBER } from '../addresses.ts';
import { type RelayPlaces, TUNNEL_INTERFACE } from '../places.ts';
import type { Holding, RelayGround } from '../state.ts';
import type { ApplierOptions } from './applier.ts';

/** The relay's end of the tunnel: one WireGuard interface in which every home is a peer with one address. */
const Kept = z.strictObject({ privateKey: z.string(), block: z.cidrv4(), block6: z.cidrv6() });
/** Secret. */
export type TunnelIdentity = z.infer<typeof Kept>;

const FILE = 'tunnel.json';

/** Made once: homes know the key, and where they are. A damaged file is an error, never replaced. */
export async function ensureTunnelIdentity(
  { root }: RelayPlaces,
  signal: AbortSignal,
): Promise<TunnelIdentity> {
  const path = join(root, FILE);
  const found = await readFileIfExists(path);
  if (found !== undefined) return readIdentity(found.toString(), path);
  const made = {
    privateKey: encodeKey(nodeCrypto.curve25519Secret()),
    block: await freeBlock(signal),
    block6: block6From(randomBytes(5)),
  };
  await writeFileAtomic(path, JSON.stringify(made), { mode: 0o600 });
  return made;
}

function readIdentity(text: string, path: string): TunnelIdentity {
  try {
    const kept = Kept.parse(JSON.parse(text));
    if (decodeKey(kept.privateKey) !== undefined) return kept;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
  }
  throw new GatewayError(`the relay's key of the tunnel is damaged: ${path}`, {
    code: 'KeyCorrupt',
    retry: 'when-changed',
    hint: `put ${path} back from a backup; without one, remove it, and let each home join again`,
  });
}

/** Not one that this machine has a route to already. */
async function freeBlock(signal: AbortSignal): Promise<string> {
  const [routes = []] = await ipShow(undefined, ['route show table all'], signal, '-4');
  const taken = (routes as { dst?: string }[]).flatMap(({ dst = '' }) => {
    const block = parseCidr(dst.includes('/') ? dst : `${dst}/32`);
    return block === undefined || block.bits < 8 ? [] : [block];
  });
  const start = randomBytes(1)[0] ?? 0;
  for (let step = 0; step < 16; step += 1) {
    const text = blockFrom(start + step);
    const block = parseCidr(text);
    if (block !== undefined && !taken.some((other) => overlaps(block, other))) return text;
  }
  throw new GatewayError('10.127.0.0/16 is in use on this machine, and homes are given addresses of it', {
    code: 'AddressPoolExhausted',
    retry: 'when-changed',
    hint: 'see ip route; the relay needs a /20 of it',
  });
}

export function publicKeyOf({ privateKey }: TunnelIdentity): string {
  return encodeKey(nodeCrypto.curve25519Public(decodeKey(privateKey) ?? new Uint8Array(32)));
}

/** Looks first: an interface that answers, of whatever start of ours, is kept with its sessions. `true`: it was made anew. */
export async function ensureTunnel(
  ground: RelayGround,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const name = TUNNEL_INTERFACE;
  const alias = aliasOf(environment);
  const found = await findTunnel(signal);
  if (found !== undefined && found !== '' && found !== alias) {
    throw new GatewayError(`the interface ${name} is another's: ${found}`, {
      code: 'AlreadyRunning',
      hint: `one machine is one relay; see ip link show ${name}`,
    });
  }
  const isNew = found === undefined || (await dumpIn(undefined, name, signal)) === undefined;
  if (isNew) {
    await stopWireguardGo(name, signal);
    if (found !== undefined) await removeLink(undefined, name, signal);
    await createInterface(name, environment, signal);
  }
  const address6 = address6In(ground, RELAY_NUMBER);
  const lines = [
    `link set dev ${name} mtu ${ground.mtu}`,
    `link set dev ${name} alias "${alias}"`,
    `addr replace ${addressIn(ground, RELAY_NUMBER)}/20 dev ${name}`,
    ...(address6 === undefined ? [] : [`addr replace ${address6}/64 dev ${name} nodad`]),
    `link set dev ${name} up`,
  ];
  await run(['ip', '-batch', '-'], { signal, input: `${lines.join('\n')}\n` });
  return isNew;
}

function aliasOf({ directories }: HelperEnvironment): string {
  return `gateway relay ${directories.state}`;
}

/** Where homes were last, by public key. */
export type LastPlaces = ReadonlyMap<string, { readonly endpoint: string }>;

/**
 * Exactly these homes; sessions of those that stay go on. A home that is called where it was last answers at once: by
 * itself it would hold on to a session that we lost for two minutes.
 */
export async function setHomes(
  { identity, ground, environment }: Pick<ApplierOptions, 'identity' | 'ground' | 'environment'>,
  holdings: readonly Holding[],
  called: LastPlaces,
  signal: AbortSignal,
): Promise<void> {
  const peers = holdings.map(({ publicKey, number }) => {
    const address6 = address6In(ground, number);
    const own = [`${addressIn(ground, number)}/32`, ...(address6 === undefined ? [] : [`${address6}/128`])];
    const last = called.get(publicKey);
    const call = last === undefined ? 'off' : `25\nEndpoint = ${last.endpoint}`;
    return `[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = ${own.join(', ')}\nPersistentKeepalive = ${call}\n`;
  });
  const text = [
    `[Interface]\nPrivateKey = ${identity.privateKey}\nListenPort = ${ground.wireguardPort}\n`,
    ...peers,
  ].join('\n');
  await withSecretFile(environment.directories.run, text, (path) =>
    run(['wg', 'syncconf', TUNNEL_INTERFACE, path], { signal }),
  );
}

export function seenHomes(signal: AbortSignal): Promise<WireguardDump | undefined> {
  return dumpIn(undefined, TUNNEL_INTERFACE, signal);
}

/** Fine when there is none; another's stays. */
export async function removeTunnel(environment: HelperEnvironment, signal: AbortSignal): Promise<void> {
  const alias = await findTunnel(signal);
  // Without an alias it is half made.
  if (alias === undefined || (alias !== '' && alias !== aliasOf(environment))) return;
  await stopWireguardGo(TUNNEL_INTERFACE, signal);
  await removeLink(undefined, TUNNEL_INTERFACE, signal);
}

const Link = z.object({ ifname: z.string().default(''), ifalias: z.string().default('') });

/** What it says of itself; `undefined`: there is none. */
async function findTunnel(signal: AbortSignal): Promise<string | undefined> {
  const [links = []] = await ipShow(undefined, ['link show'], signal);
  return Link.array()
    .parse(links)
    .find(({ ifname }) => ifname === TUNNEL_INTERFACE)?.ifalias;
}
