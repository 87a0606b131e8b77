import type { Change, Context, Part } from '../../core/contract.ts';
import { GatewayError } from '../../core/errors.ts';
import type { EdgeSpec } from '../../core/operations.ts';
import { compile, type Spec } from './compile.ts';
import { observe } from './observe.ts';

/** Owner of HAProxy, which carries connections on to services that are not behind the hub. */
export const edgePart: Part<Spec> = {
  id: 'edge',
  kinds: ['edge', 'route', 'client'],
  compile,
  observe,
  apply,
  describe,
  // Holds nothing open: HAProxy outlives us.
  close: async () => {},
};

async function apply(change: Change<Spec>, context: Context): Promise<void> {
  const { spec } = change.op === 'delete' ? change.have : change.want;
  if (spec.type === 'edge') return applyEdge(change.op, spec, context);
  if (spec.type === 'client') return applyClient(change.op, spec, context);
  // Leaving a route out is the work of the process's own change.
  if (change.op !== 'delete') await bindRoute(spec.service, context);
}

/** Both halves do nothing when there is nothing to do, so a pass that was cut in between carries on here. */
async function applyEdge(
  op: Change['op'],
  { type: _type, ...edge }: Extract<Spec, { type: 'edge' }>,
  { network, ports, signal }: Context,
): Promise<void> {
  if (op === 'delete') {
    await ports.helper.call('edge.stop', {}, signal);
    return;
  }
  await ports.helper.call('edge.write', { network, edge }, signal);
  await ports.helper.call('edge.load', {}, signal);
}

async function applyClient(
  op: Change['op'],
  { type: _type, ...client }: Extract<Spec, { type: 'client' }>,
  { ports, signal }: Context,
): Promise<void> {
  if (op === 'delete') await ports.helper.call('edge.client.remove', { name: client.name }, signal);
  else await ports.helper.call('edge.client', { client }, signal);
}

/** Loading looks again at which ports are free. */
async function bindRoute(service: string, { ports, signal }: Context): Promise<void> {
  const { left } = await ports.helper.call('edge.load', {}, signal);
  const found = left.find((route) => route.service === service);
  if (found === undefined) return;
  throw new GatewayError(`devices cannot reach ${service}: ${found.reason}`, {
    code: 'PortInUse',
    hint: `a program that listens on 0.0.0.0 can be told to listen on the addresses that it needs; the other services work meanwhile, and ${service} is tried again`,
  });
}

function describe(change: Change<Spec>): string {
  const { spec } = change.op === 'delete' ? change.have : change.want;
  if (spec.type === 'route') {
    return change.op === 'delete'
      ? `carry devices no longer on to ${spec.service}`
      : `let devices in to ${spec.service} at the edge`;
  }
  if (spec.type === 'client') {
    return change.op === 'delete'
      ? `let ${spec.name} in no longer by its certificate, and end what it has open`
      : `let ${spec.name} in by its certificate at ${spec.services.join(', ')}`;
  }
  return change.op === 'delete' ? 'stop HAProxy: nobody needs it' : describeEdge(spec);
}

function describeEdge(spec: EdgeSpec): string {
  const routes = spec.routes.map(
    ({ service, address, port, to }) => `${service} (${address}:${port} to ${to.host}:${to.port})`,
  );
  const sites = spec.sites.map(({ domain, service }) => `${domain} (${service})`);
  const onions = (spec.onions ?? []).map(({ service }) => service);
  const doors = (spec.doors?.services ?? []).map(({ service }) => service);
  const sentences = [
    ...(routes.length === 0 ? [] : [`carry connections of devices on to ${routes.join(', ')}`]),
    ...(sites.length === 0 ? [] : [`answer visitors of ${sites.join(', ')}`]),
    ...(onions.length === 0 ? [] : [`see requests of the onion services of ${onions.join(', ')}`]),
    ...(doors.length === 0 ? [] : [`see requests of devices for ${doors.join(', ')}`]),
  ];
  if (sentences.length === 0) return 'have HAProxy let nobody in, and finish what is open';
  return `have HAProxy ${sentences.join(', and ')}`;
}
