import type { Change, Context, Observed, ResourceKey } from '../../core/contract.ts';
import { GatewayError, isErrorCode } from '../../core/errors.ts';
import { textOf } from '../../core/flows.ts';
import { type Flow, MOST_FLOWS_CHANGED, type OperationArguments } from '../../core/operations.ts';
import type { FlowsSpec, Spec } from './spec.ts';

export async function apply(change: Change<Spec>, context: Context): Promise<void> {
  if (change.op === 'delete') await remove(change.have.key, change.have.spec, context);
  else if (change.op === 'update') await update(change, context);
  else await ensure(change.want.key, change.want.spec, context);
}

/** A hub that was made, for other addresses say, may be without the paths that were seen in the one before. */
const emptied = new WeakSet<Context['ports']['helper']>();

/** Of thousands of paths few change at once: only those are told, unless one of them is refused. */
async function update(change: Change<Spec> & { readonly op: 'update' }, context: Context): Promise<void> {
  const { network, ports, signal } = context;
  const { add, remove: gone } = flowsChanged(change);
  const isLost = change.want.spec.type === 'flows' && emptied.delete(ports.helper);
  if (isLost || !isFew(add, gone)) {
    return ensure(change.want.key, change.want.spec, context);
  }
  try {
    await ports.helper.call('flows.change', { network, add, remove: gone }, signal);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    await ensure(change.want.key, change.want.spec, context);
  }
}

/** Empty for everything but paths. */
function flowsChanged({ have, want }: Change<Spec> & { readonly op: 'update' }): {
  readonly add: Flow[];
  readonly remove: Flow[];
} {
  if (have.spec.type !== 'flows' || want.spec.type !== 'flows') return { add: [], remove: [] };
  const [before, after] = [new Map(textsOf(have.spec)), new Map(textsOf(want.spec))];
  const only = (some: typeof before, others: typeof before): Flow[] =>
    [...some].flatMap(([text, flow]) => (others.has(text) ? [] : [flow]));
  return { add: only(after, before), remove: only(before, after) };
}

function textsOf({ flows }: FlowsSpec): (readonly [string, Flow])[] {
  return flows.map((flow) => [textOf(flow), flow] as const);
}

function isFew(add: readonly Flow[], gone: readonly Flow[]): boolean {
  const most = Math.max(add.length, gone.length);
  return most > 0 && most <= MOST_FLOWS_CHANGED;
}

/** nft took the paths in one transaction, and said so. What else there is, is looked at. */
export function observeChanged(changes: readonly Change<Spec>[]): readonly Observed<Spec>[] | undefined {
  const observed = changes.flatMap((change) =>
    change.op === 'update' && change.want.spec.type === 'flows'
      ? [{ key: change.want.key, spec: change.want.spec, facts: {} }]
      : [],
  );
  return observed.length === changes.length ? observed : undefined;
}

type Wanted = OperationArguments<'namespace.ensureAll'>['namespaces'][number];

/** So many are made well within the time in which the helper answers, on a slow machine too. */
const NAMESPACES_A_CALL = 250;

export async function applyAll(
  changes: readonly Change<Spec>[],
  context: Context,
): Promise<ReadonlyMap<ResourceKey, GatewayError>> {
  const failed = new Map<ResourceKey, GatewayError>();
  const namespaces: Wanted[] = [];
  for (const change of changes) {
    if (change.op !== 'delete' && change.want.spec.type === 'namespace') {
      const { type: _type, ...spec } = change.want.spec;
      namespaces.push({ service: nameIn(change.want.key), spec });
      continue;
    }
    const failure = await failureOf(() => apply(change, context));
    if (failure !== undefined)
      failed.set(change.op === 'delete' ? change.have.key : change.want.key, failure);
  }
  for (let from = 0; from < namespaces.length; from += NAMESPACES_A_CALL) {
    const some = namespaces.slice(from, from + NAMESPACES_A_CALL);
    for (const [service, error] of await ensureAll(some, context)) failed.set(`namespace:${service}`, error);
  }
  return failed;
}

async function ensureAll(
  namespaces: readonly Wanted[],
  { network, ports, signal }: Context,
): Promise<ReadonlyMap<string, GatewayError>> {
  let failed: readonly { readonly service: string; readonly error: GatewayError }[] = [];
  const failure = await failureOf(async () => {
    const input = { network, namespaces: [...namespaces] };
    const answer = await ports.helper.call('namespace.ensureAll', input, signal);
    failed = answer.failed.map(({ service, code, message, hint }) => ({
      service,
      error: new GatewayError(message, {
        code: isErrorCode(code) ? code : 'CommandFailed',
        ...(hint === undefined ? {} : { hint }),
      }),
    }));
  });
  if (failure !== undefined) return new Map(namespaces.map(({ service }) => [service, failure]));
  return new Map(failed.map(({ service, error }) => [service, error]));
}

async function failureOf(attempt: () => Promise<void>): Promise<GatewayError | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return error;
  }
}

async function ensure(key: string, spec: Spec, { network, ports, signal }: Context): Promise<void> {
  const { helper } = ports;
  const service = nameIn(key);
  switch (spec.type) {
    case 'hub':
      await helper.call('hub.ensure', { network }, signal);
      emptied.add(helper);
      return;
    case 'namespace': {
      const { type: _type, ...asked } = spec;
      await helper.call('namespace.ensure', { network, service, spec: asked }, signal);
      return;
    }
    case 'entered': {
      const { by, value, address } = spec;
      await helper.call('entered.ensure', { network, service, spec: { by, value, address } }, signal);
      return;
    }
    case 'hostService': {
      const { address } = spec;
      await helper.call('hostService.ensure', { network, service, spec: { address } }, signal);
      return;
    }
    case 'flows':
      await helper.call('flows.replace', { network, flows: [...spec.flows] }, signal);
  }
}

async function remove(key: string, spec: Spec, { network, ports, signal }: Context): Promise<void> {
  const { helper } = ports;
  const service = nameIn(key);
  switch (spec.type) {
    case 'hub':
      await helper.call('hub.remove', { network }, signal);
      return;
    case 'namespace':
      await helper.call('namespace.remove', { network, service }, signal);
      return;
    case 'entered':
      await helper.call('entered.remove', { network, service }, signal);
      return;
    case 'hostService':
      await helper.call('hostService.remove', { network, service }, signal);
      return;
    case 'flows':
      await helper.call('flows.replace', { network, flows: [] }, signal);
  }
}

export function nameIn(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}
