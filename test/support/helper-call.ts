/**
 * One operation of the root helper in a process of its own: `node helper-call.ts ROOT OPERATION JSON [stay]` prints what
 * it resolved with, or the error. With `stay` it goes on living, to be killed.
 */
import { mkdir } from 'node:fs/promises';
import { GatewayError } from '../../src/core/errors.ts';
import { OPERATIONS } from '../../src/core/operations.ts';
import { replaceFlows } from '../../src/helper/flow-sets.ts';
import { ensureHub } from '../../src/helper/hub.ts';
import { ensureNamespace } from '../../src/helper/namespace.ts';
import { observe } from '../../src/helper/observe.ts';
import { removePeer, setPeers } from '../../src/helper/wireguard-peers.ts';
import { ensureProbe, removeProbe } from '../../src/helper/wireguard-probe.ts';
import { observeTunnels } from '../../src/helper/tunnel-observe.ts';
import { ensureTunnel, removeTunnel } from '../../src/helper/tunnel.ts';
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

async function call(input: unknown): Promise<unknown> {
  await mkdir(directories.run, { recursive: true });
  await mkdir(directories.state, { recursive: true });
  switch (operation) {
    case 'hub.ensure':
      return ensureHub(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'namespace.ensure':
      return ensureNamespace(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'flows.replace':
      return replaceFlows(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'wireguard.ensure':
      return ensureWireguard(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'wireguard.remove':
      return removeWireguard(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'wireguard.setPeers':
      return setPeers(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'wireguard.removePeer':
      return removePeer(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'wireguard.ensureProbe':
      return ensureProbe(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'wireguard.removeProbe':
      return removeProbe(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'tunnel.ensure':
      return ensureTunnel(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'tunnel.remove':
      return removeTunnel(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'tunnel.observe':
      return observeTunnels(OPERATIONS[operation].input.parse(input), environment, signal);
    case 'observe':
      return observe(OPERATIONS[operation].input.parse(input), environment, signal);
    default:
      throw new Error(`unknown operation ${operation}`);
  }
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
