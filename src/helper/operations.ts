import { GatewayError, messageOf } from '../core/errors.ts';
import {
  OPERATIONS,
  type OperationArguments,
  type OperationName,
  type OperationResult,
} from '../core/operations.ts';
import type { z } from 'zod';
import { readApplied } from './applied-file.ts';
import { removeChallenge } from './edge-challenges.ts';
import { removeClient, setClient } from './edge-clients.ts';
import { noteProved } from './edge-strict.ts';
import {
  answerChallenge,
  cutEdge,
  loadEdge,
  observeEdge,
  removeCertificate,
  stopEdge,
  writeCertificate,
  writeEdge,
} from './edge.ts';
import { ensureEgress, removeEgress } from './egress.ts';
import { watchEgress } from './egress-watch.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { ensureEntered, removeEntered } from './namespace-entered.ts';
import { watchEntered } from './namespace-watch.ts';
import { ensureHostService, removeHostService } from './host-service.ts';
import { changeFlows, replaceFlows } from './flow-sets.ts';
import { cutFlows, ensureHub, removeHub } from './hub.ts';
import { listListeners } from './listeners.ts';
import { ensureNamespace, removeNamespace } from './namespace.ts';
import { ensureNamespaces } from './namespace-many.ts';
import { observe } from './observe.ts';
import { announceOnion } from './tor-announce.ts';
import { cutOnions, drainOnion } from './tor-drain.ts';
import { checkPolicy } from './policy.ts';
import { loadTor, observeTor, removeOnion, stopTor, writeOnion, writeTor } from './tor.ts';
import { listHandshakes, listVisitors, observeTunnels } from './tunnel-observe.ts';
import { cutTunnelPort, dialTunnel, ensureTunnel, removeTunnel } from './tunnel.ts';
import { removePeer, setPeers } from './wireguard-peers.ts';
import { removeProbe, ensureProbe } from './wireguard-probe.ts';
import { ensureWireguard, removeWireguard } from './wireguard.ts';

const HANDLERS: { readonly [Name in OperationName]: Handler<Name> } = {
  observe,
  'hub.ensure': ensureHub,
  'hub.remove': removeHub,
  'namespace.ensure': ensureNamespace,
  'namespace.ensureAll': ensureNamespaces,
  'namespace.remove': removeNamespace,
  'entered.ensure': ensureEntered,
  'entered.remove': removeEntered,
  'entered.watch': watchEntered,
  'hostService.ensure': ensureHostService,
  'hostService.remove': removeHostService,
  'flows.replace': replaceFlows,
  'flows.change': changeFlows,
  'flows.cut': cutFlows,
  'namespace.listeners': listListeners,
  'wireguard.ensure': ensureWireguard,
  'wireguard.remove': removeWireguard,
  'wireguard.setPeers': setPeers,
  'wireguard.removePeer': removePeer,
  'wireguard.ensureProbe': ensureProbe,
  'wireguard.removeProbe': removeProbe,
  'tor.writeOnion': writeOnion,
  'tor.removeOnion': removeOnion,
  'tor.drain': drainOnion,
  'tor.cut': cutOnions,
  'tor.write': writeTor,
  'tor.observe': observeTor,
  'tor.load': loadTor,
  'tor.stop': stopTor,
  'tor.announce': announceOnion,
  'edge.write': writeEdge,
  'edge.observe': observeEdge,
  'edge.load': loadEdge,
  'edge.stop': stopEdge,
  'edge.proved': noteProved,
  'edge.cut': cutEdge,
  'edge.client': setClient,
  'edge.client.remove': removeClient,
  'edge.certificate': writeCertificate,
  'edge.certificate.remove': removeCertificate,
  'edge.challenge': answerChallenge,
  'edge.challenge.remove': removeChallenge,
  'egress.ensure': ensureEgress,
  'egress.remove': removeEgress,
  'egress.watch': watchEgress,
  'tunnel.ensure': ensureTunnel,
  'tunnel.remove': removeTunnel,
  'tunnel.observe': observeTunnels,
  'tunnel.cut': cutTunnelPort,
  'tunnel.dial': dialTunnel,
  'tunnel.handshakes': listHandshakes,
  'tunnel.visitors': listVisitors,
};

export function isOperation(name: string): name is OperationName {
  return Object.hasOwn(OPERATIONS, name);
}

/** Validates, asks the policy, executes. */
export async function execute<Name extends OperationName>(
  name: Name,
  input: unknown,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<OperationResult<Name>> {
  const checked = parseInput(name, input);
  checkPolicy(name, checked, await readApplied(environment.paths.applied));
  const handler: Handler<Name> = HANDLERS[name];
  return handler(checked, environment, signal);
}

function parseInput<Name extends OperationName>(name: Name, input: unknown): OperationArguments<Name> {
  // The table says which schema belongs to which name; TypeScript cannot follow that through a generic index.
  const schema = OPERATIONS[name].input as unknown as z.ZodType<OperationArguments<Name>>;
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? '' : ` (${issue.path.join('.') || 'input'}: ${issue.message})`;
  throw new GatewayError(`${name} was called with input that is not well formed${where}`, {
    code: 'InvalidRequest',
    retry: 'never',
  });
}

/** Operations that touch the same things wait for each other; `undefined`: one that changes nothing and takes long. */
export function queueOf(name: OperationName): 'tor' | 'edge' | 'network' | undefined {
  if (name.endsWith('.watch')) return undefined;
  if (name.startsWith('tor.')) return 'tor';
  return name.startsWith('edge.') ? 'edge' : 'network';
}

/** What is sent back for anything that was thrown; a bug of ours is told without its stack. */
export function wireError(error: unknown): { code: string; message: string; hint?: string } {
  if (!(error instanceof GatewayError)) return { code: 'Internal', message: messageOf(error) };
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}
