import { GatewayError } from '../../core/errors.ts';
import type { WalkSend } from '../../core/relay-walk.ts';
import type { ExpirySeen } from '../../doctor/nat/measurement.ts';
import type { Flow, Walk } from './walk.ts';

const FULL_TTL = 64;
/** Far below any timer that is worth its name; with a short window, so often within it. */
const REFRESH_MS = 4000;
const REFRESHES = 9;

/** What both ends do to one flow, each time; 0: nothing. */
interface Plan {
  readonly flow: Flow;
  readonly inside: number;
  readonly outside: number;
}

/**
 * Which routers forget. For each a flow, refreshed from inside by packets that die at the router before it, and from
 * outside by packets that die at the one behind it, so that it alone hears nothing. The relay answers nothing on its own:
 * Linux remembers for longer what was answered. All at once, so that all take one window.
 */
export async function findExpiry(walk: Walk, routers: number, windowSeconds: number): Promise<ExpirySeen> {
  const ttls = Array.from({ length: routers }, (_, index) => index + 1);
  const [fromInside, fromOutside, ...flows] = await walk.flows(2 * routers + 2);
  if (fromInside === undefined || fromOutside === undefined) throw new TypeError('no flows were opened');
  const passing = ttls.map((k, index) => planOf(flows[index], k - 1, routers - k));
  const dying = ttls.map((k, index) => planOf(flows[routers + index], k, routers - k + 1));
  const controls = [planOf(fromInside, FULL_TTL, 0), planOf(fromOutside, 0, FULL_TTL)];
  const all = [...controls, ...passing, ...dying];
  const before = await walk.reach(all.map(({ flow }) => flow));
  await refreshUntil(walk, all, performance.now() + windowSeconds * 1000, (windowSeconds * 1000) / REFRESHES);
  await walk.haveProbes(
    all.map(({ flow }) => flow),
    'probe',
  );
  await walk.wait(1000);
  const isLost = ({ flow }: Plan): boolean => !flow.has('probe');
  const lostOf = (plans: readonly Plan[]): number[] => ttls.filter((_, index) => isIn(plans[index], isLost));
  const lost = lostOf(passing);
  const moved = await movedPorts(walk, before, passing.filter(isLost));
  return {
    method: 'expiry',
    windowSeconds,
    routers,
    lost,
    lostDying: lostOf(dying),
    // A packet that was to die on its way here did not: the way back is a shorter one.
    isUnsteady: isIn(controls[0], isLost) || [...passing, ...dying].some(({ flow }) => flow.has('refresh')),
    countsOnlyOutgoing: isIn(controls[1], isLost),
    remade: ttls.filter((_, index) => isIn(passing[index], ({ flow }) => moved.has(flow.id))),
  };
}

function planOf(flow: Flow | undefined, inside: number, outside: number): Plan {
  if (flow === undefined) throw new TypeError('there are fewer flows than routers');
  return { flow, inside, outside };
}

function isIn(plan: Plan | undefined, isSo: (plan: Plan) => boolean): boolean {
  return plan !== undefined && isSo(plan);
}

async function refreshUntil(
  walk: Walk,
  plans: readonly Plan[],
  endMs: number,
  mostMs: number,
): Promise<void> {
  const outside = plans
    .filter((plan) => plan.outside > 0)
    .map((plan): WalkSend => [plan.flow.id, plan.outside, 'refresh']);
  let missed = 0;
  for (;;) {
    const left = endMs - performance.now();
    if (left <= 0) return;
    await walk.wait(Math.min(left, REFRESH_MS, mostMs));
    if (performance.now() >= endMs) return;
    for (const { flow, inside } of plans) if (inside > 0) await flow.send(walk.relay, inside);
    missed = await walk.have(outside).then(
      () => 0,
      (error: unknown) => missedOnce(missed, error),
    );
  }
}

/** One question to the relay may fail: the flows live for several rounds. */
function missedOnce(before: number, error: unknown): number {
  if (before > 0 || !(error instanceof GatewayError) || error.code === 'Aborted') throw error;
  return before + 1;
}

/** Flows that come from another port once they are used again: whoever forgot them gave them another. */
async function movedPorts(
  walk: Walk,
  before: ReadonlyMap<number, number>,
  lost: readonly Plan[],
): Promise<ReadonlySet<number>> {
  if (lost.length === 0) return new Set();
  for (const { flow } of lost) {
    await flow.send(walk.relay);
    await flow.send(walk.relay);
  }
  await walk.wait(400);
  const now = await walk.have([]);
  const ids = lost.map(({ flow }) => flow.id);
  return new Set(ids.filter((id) => now.get(id) !== before.get(id)));
}
