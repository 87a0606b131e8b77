import type { Change, Context, Observed, Part, Resource } from '../core/contract.ts';
import { GatewayError } from '../core/errors.ts';
import { kindOf, plan, SPEC_DIFFERS } from '../core/plan.ts';
import { askedOnce } from './looks.ts';

/** What should be, by part id. A part that is not named should have nothing. */
export type Wanted = ReadonlyMap<string, readonly Resource[]>;
/** What is, by part id. */
export type World = ReadonlyMap<string, readonly Observed[]>;

export interface PartChange {
  readonly part: Part;
  readonly change: Change;
}

export interface FailedChange extends PartChange {
  readonly error: GatewayError;
}

export interface PassReport {
  readonly changes: readonly PartChange[];
  readonly failed: readonly FailedChange[];
  /** The world after the pass. */
  readonly world: World;
}

/** Told as it happens; for progress and the journal. */
export interface PassWatcher {
  applying(change: PartChange): void;
  applied(change: PartChange): void;
  failed(change: FailedChange): void;
}

export async function observeAll(parts: readonly Part[], context: Context): Promise<World> {
  const ports = { ...context.ports, helper: askedOnce(context.ports.helper) };
  const look = (part: Part): Promise<readonly Observed[]> => part.observe({ ...context, ports });
  const seen = await Promise.all(parts.map(async (part) => [part.id, await look(part)] as const));
  return new Map(seen);
}

/**
 * The changes of all parts in the order in which they are made. `parts` is ordered from foundation to user: built-in
 * parts first, providers after them.
 *
 *   1. deletes, users before foundations     (a WireGuard interface leaves before its hub)
 *   2. creates and updates, foundations first (a namespace stands before an onion points at it)
 */
export function planAll(parts: readonly Part[], wanted: Wanted, world: World): PartChange[] {
  const changes = parts.map((part) =>
    plan(wanted.get(part.id) ?? [], world.get(part.id) ?? [], part.kinds).map((change) => ({ part, change })),
  );
  const deletes = changes.map((list) => list.filter(({ change }) => change.op === 'delete')).toReversed();
  const writes = changes.map((list) => list.filter(({ change }) => change.op !== 'delete'));
  return [...deletes.flat(), ...writes.flat()];
}

/**
 * One pass: observe, plan, apply, observe again. A change that the world refuses (`GatewayError`) is recorded and the
 * others go on, so that one damaged key takes no other service down; any other error is a bug of ours and ends the pass.
 */
export async function pass(
  parts: readonly Part[],
  wanted: Wanted,
  context: Context,
  watcher: PassWatcher,
): Promise<PassReport> {
  const before = await observeAll(parts, context);
  const changes = planAll(parts, wanted, before);
  const failed = await applyAll(changes, context, watcher);
  const world = changes.length === 0 ? before : await observeAll(parts, context);
  return { changes, failed, world };
}

/** In their order; resolves with those that the world refused. */
export async function applyAll(
  changes: readonly PartChange[],
  context: Context,
  watcher: PassWatcher,
): Promise<FailedChange[]> {
  const failed: FailedChange[] = [];
  for (const batch of batchesOf(changes)) {
    context.signal.throwIfAborted();
    failed.push(...(await applyBatch(batch, context, watcher)));
  }
  return failed;
}

/** Neighbours of one part and kind go together where the part can do that; the order stays. */
function batchesOf(changes: readonly PartChange[]): PartChange[][] {
  const batches: PartChange[][] = [];
  for (const change of changes) {
    const last = batches.at(-1);
    const before = last?.[0];
    if (last !== undefined && before !== undefined && isSameBatch(before, change)) last.push(change);
    else batches.push([change]);
  }
  return batches;
}

function isSameBatch({ part, change: a }: PartChange, { part: other, change: b }: PartChange): boolean {
  if (part !== other || part.applyAll === undefined || a.op === 'delete' || b.op === 'delete') return false;
  return kindOf(a.want.key) === kindOf(b.want.key);
}

async function applyBatch(
  batch: readonly PartChange[],
  context: Context,
  watcher: PassWatcher,
): Promise<FailedChange[]> {
  const [first] = batch;
  if (first?.part.applyAll === undefined || batch.length === 1) {
    const failed: FailedChange[] = [];
    for (const change of batch) failed.push(...((await applyOne(change, context, watcher)) ?? []));
    return failed;
  }
  for (const change of batch) watcher.applying(change);
  const errors = await first.part.applyAll(
    batch.map(({ change }) => change),
    context,
  );
  return batch.flatMap((change) => {
    const error = change.change.op === 'delete' ? undefined : errors.get(change.change.want.key);
    if (error === undefined) watcher.applied(change);
    else watcher.failed({ ...change, error });
    return error === undefined ? [] : [{ ...change, error }];
  });
}

async function applyOne(
  change: PartChange,
  context: Context,
  watcher: PassWatcher,
): Promise<readonly FailedChange[] | undefined> {
  watcher.applying(change);
  try {
    await change.part.apply(change.change, context);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    const failure = { ...change, error };
    watcher.failed(failure);
    return [failure];
  }
  watcher.applied(change);
  return undefined;
}

/** What is repaired says why; that something new was absent, and something old is not needed, goes without saying. */
export function sentenceOf({ part, change }: PartChange): string {
  const sentence = part.describe(change);
  const isTold = change.op !== 'update' || change.why === SPEC_DIFFERS || sentence.includes(change.why);
  return isTold ? sentence : `${sentence}: ${change.why}`;
}

/** What many share says nothing of each. */
const MANY = 20;

/** Services whose own resources changed. */
export function servicesTouched(changes: readonly PartChange[]): ReadonlySet<string> {
  return new Set(changes.map(servicesOf).flatMap((names) => (names.length > MANY ? [] : names)));
}

/** Names of the services that a change serves. */
export function servicesOf({ change }: PartChange): readonly string[] {
  return change.op === 'delete' ? [] : change.want.neededBy;
}
