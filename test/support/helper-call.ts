/**
 * One operation of the root helper in a process of its own: `node helper-call.ts ROOT OPERATION JSON [stay]` prints what
 * it resolved with, or the error. With `stay` it goes on living, to be killed.
 */
import { mkdir } from 'node:fs/promises';
import { GatewayError } from '../../src/core/errors.ts';
import { OPERATIONS, type OperationName } from '../../src/core/operations.ts';
import type { Handler } from '../../src/helper/environment.ts';
import { replaceFlows } from '../../src/helper/flow-sets.ts';
import { ensureHub } from '../../src/helper/hub.ts';
import { ensureNamespace } from '../../src/helper/namespace.ts';
import { observe } from '../../src/helper/observe.ts';
import { removePeer, setPeers } from '../../src/helper/wireguard-peers.ts';
import { ensureProbe, removeProbe } from '../../src/helper/wireguard-probe.ts';
import { listHandshakes, listVisitors, observeTunnels } from '../../src/helper/tunnel-observe.ts';
import { cutTunnelPort, dialTunnel, ensureTunnel, removeTunnel } from '../../src/helper/tunnel.ts';
import { ensureWireguard, removeWireguard } from '../../src/helper/wireguard.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';

const [, , root = '', operation = '', json = '', stay] = process.argv;
const directories = directoriesIn(root);
const root0 = { uid: 0, gid: 0 };
const environment = {
  directories,
  paths: pathsOf(directories),
  gateway: root0,
  tor: root0,
  edge: root0,
  log: () => undefined,
};
const signal = AbortSignal.timeout(30_000);

type Call = (input: unknown, given: typeof environment, signal: AbortSignal) => Promise<unknown>;
const HANDLERS = {
  'hub.ensure': ensureHub,
  'namespace.ensure': ensureNamespace,
  'flows.replace': replaceFlows,
  'wireguard.ensure': ensureWireguard,
  'wireguard.remove': removeWireguard,
  'wireguard.setPeers': setPeers,
  'wireguard.removePeer': removePeer,
  'wireguard.ensureProbe': ensureProbe,
  'wireguard.removeProbe': removeProbe,
  'tunnel.ensure': ensureTunnel,
  'tunnel.remove': removeTunnel,
  'tunnel.cut': cutTunnelPort,
  'tunnel.dial': dialTunnel,
  'tunnel.handshakes': listHandshakes,
  'tunnel.visitors': listVisitors,
  'tunnel.observe': observeTunnels,
  observe,
} as const satisfies { readonly [Name in OperationName]?: Handler<Name> };

function isKnown(name: string): name is keyof typeof HANDLERS {
  return Object.hasOwn(HANDLERS, name);
}

async function call(input: unknown): Promise<unknown> {
  if (!isKnown(operation)) throw new Error(`unknown operation ${operation}`);
  await mkdir(directories.run, { recursive: true });
  await mkdir(directories.state, { recursive: true });
  // The table says which schema belongs to which name; TypeScript cannot follow that.
  const handler = HANDLERS[operation] as unknown as Call;
  return handler(OPERATIONS[operation].input.parse(input), environment, signal);
}

try {
  const result = await call(JSON.parse(json));
  process.stdout.write(`${JSON.stringify({ result })}\n`);
  if (stay === 'stay') setInterval(() => undefined, 1000);
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  const { code, message, hint } = error;
  process.stdout.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
}
