import type { Change, Context, Observed } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Secret } from '../../src/core/secret.ts';
import { deriveOnionKey, type OnionKey } from './key.ts';
import { ensureVisitor } from './visitor.ts';
import { keyName, type OnionResource, type ProcessResource, type Spec } from './spec.ts';

export async function apply(change: Change<Spec>, context: Context): Promise<void> {
  if (change.op === 'delete') return remove(change.have.spec, context);
  const { spec } = change.want;
  if (spec.type === 'process') return load(spec, context);
  if (change.op === 'update' && isOnlyLate(change.have, change.why))
    return announceAgain(spec, change.have, context);
  const key = keyName(spec.service);
  const { keys } = context.ports;
  // Where an onion exists its key must too: a fresh one would be another address.
  const secret =
    change.op === 'create' ? await keys.ensure(key, 'ed25519-expanded') : await existing(key, context);
  const { hostname } = await writeOnion(spec, secret, context);
  const before = change.op === 'update' ? change.have.spec : undefined;
  if (before === undefined || before.type === 'process' || changesDescriptor(before, spec))
    context.ports.tor[spec.instance].expectUpload(addressIn(hostname), 'changed');
}

/** The process loads it after this, and tor then announces it anew. */
function changesDescriptor(
  { authorization: a }: OnionResource,
  { authorization: b }: OnionResource,
): boolean {
  const keysOf = (one: OnionResource['authorization']): string | undefined =>
    one && [one.round, ...one.clients.map(({ key }) => key).sort()].join();
  return keysOf(a) !== keysOf(b);
}

/** Nothing is wrong with it but that its descriptor did not get through. */
function isOnlyLate({ facts, renew }: Observed<Spec>, why: string): boolean {
  return why === renew && facts['late'] === true && facts['trouble'] === undefined;
}

async function announceAgain(
  { instance, service }: OnionResource,
  { facts }: Observed<Spec>,
  { ports, signal }: Context,
): Promise<void> {
  const { isAnnounced } = await ports.helper.call('tor.announce', { instance, service }, signal);
  const address = addressIn(String(facts['address']));
  ports.tor[instance].expectUpload(address, isAnnounced ? 'repeated' : 'postponed');
}

function addressIn(hostname: string): string {
  return hostname.replace(/\.onion$/, '');
}

async function existing(key: string, { ports }: Context): Promise<Secret<Uint8Array>> {
  const secret = await ports.keys.read(key, 'ed25519-expanded');
  if (secret !== undefined) return secret;
  throw new GatewayError(`key ${key} is gone, but its onion service exists`, {
    code: 'KeyMissing',
    retry: 'when-changed',
    hint: `put keys/${key}.key back from a backup; a new key would be another address`,
  });
}

async function writeOnion(
  spec: OnionResource,
  secret: Secret<Uint8Array>,
  context: Context,
): Promise<OnionKey> {
  const { network, ports, signal } = context;
  const onionKey = deriveOnionKey(secret, ports.crypto);
  const { publicKey, hostname } = onionKey;
  const { type: _, instance, ...lines } = spec;
  const visitor = spec.authorization === undefined ? undefined : await ensureVisitor(ports);
  const onion = {
    ...lines,
    ...(visitor === undefined ? {} : { visitor }),
    secretKey: base64(secret.reveal()),
    publicKey: base64(publicKey),
    hostname,
  };
  await ports.helper.call('tor.writeOnion', { network, instance, onion }, signal);
  return onionKey;
}

/** Both halves do nothing when there is nothing to do, so a pass that was cut in between carries on here. */
async function load(
  { instance, torrc }: ProcessResource,
  { network, ports, signal }: Context,
): Promise<void> {
  if (torrc === undefined) throw new TypeError('a torrc that is wanted is known');
  await ports.helper.call('tor.write', { network, instance, torrc }, signal);
  await ports.helper.call('tor.load', { instance }, signal);
}

async function remove(spec: Spec, { network, ports, signal }: Context): Promise<void> {
  const { instance } = spec;
  if (spec.type === 'process') await ports.helper.call('tor.stop', { instance }, signal);
  else await ports.helper.call('tor.removeOnion', { network, instance, service: spec.service }, signal);
}

/** One sentence for `gateway plan`. */
export function describe(change: Change<Spec>): string {
  const spec = change.op === 'delete' ? change.have.spec : change.want.spec;
  if (spec.type === 'process') return describeProcess(change.op, spec);
  const { service, virtualPort, target, instance } = spec;
  const where = instance === 'tor' ? '' : ` from the process ${instance}`;
  const shown = instance === 'single-hop' ? '; where it is, is not hidden' : '';
  if (change.op === 'delete')
    return `take the onion service of ${service} away${where}; its key and address stay`;
  const leads = `port ${virtualPort}, leading to ${target.host}:${target.port}${onlyFor(spec)}${shown}`;
  if (change.op === 'update' && isOnlyLate(change.have, change.why))
    return `announce the onion service of ${service} again`;
  return change.op === 'create'
    ? `publish an onion service for ${service}, ${leads}`
    : `write the onion service of ${service} again, ${leads}`;
}

function onlyFor({ authorization }: OnionResource): string {
  if (authorization === undefined) return '';
  const names = authorization.clients.map(({ name }) => name);
  return names.length === 0 ? ', for no device yet' : `, only for ${names.join(', ')}`;
}

function describeProcess(op: Change['op'], { instance, torrc }: ProcessResource): string {
  const name = instance === 'tor' ? 'tor' : `the tor of ${instance} services`;
  if (op === 'delete') return `stop ${name}: no service needs it`;
  const count = torrc?.onions.length ?? 0;
  const wayOut = torrc?.isWayOut === true ? ', as the way out of services' : '';
  const onions = `${count} onion ${count === 1 ? 'service' : 'services'}${wayOut}`;
  return op === 'create' ? `start ${name} with ${onions}` : `have ${name} running with ${onions}`;
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
