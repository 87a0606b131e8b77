import { GatewayError } from '../../core/errors.ts';
import { fuse } from '../../doctor/nat/fuse.ts';
import type { Seen } from '../../doctor/nat/measurement.ts';
import type { Mode, NatReport } from '../../doctor/types.ts';
import { findHomeNetwork } from '../mapping/home-network.ts';
import { findExpiry } from './expiry.ts';
import { findOwner, lookAtFirst, lookFarther, trace } from './near.ts';
import { behave, measureDistance, seenFrom, stunAddresses } from './outside.ts';
import { Pings } from './pings.ts';
import { Survey } from './survey.ts';
import { distanceOf, MOST_ROUTERS, outermostFilter, Walk, type AskWalk } from './walk.ts';

export interface NatOptions {
  readonly mode: Mode;
  /** STUN servers, `host:port`. */
  readonly stun: readonly string[];
  /** Finds a relay of ours that helps; `undefined`: there is none. */
  readonly relay: (signal: AbortSignal) => Promise<NatRelay | undefined>;
  /** For which state must expire; left out: what the mode says. */
  readonly windowSeconds?: number | undefined;
  /** Told of each thing that was seen, at once. */
  readonly told?: (seen: Seen) => void;
  readonly signal: AbortSignal;
}

export interface NatRelay {
  readonly walk: AskWalk;
  /** `host:port`; `undefined`: it answers none. */
  readonly stun: string | undefined;
}

/** Linux forgets what was not answered after 30 s; RFC 4787 REQ-5 recommends 300 s. */
const WINDOW_SECONDS = { quick: undefined, full: 36, deep: 310 } as const;
/** For all that needs no window. */
const QUICK_MS = 7000;
const BEYOND_WINDOW_MS = 12_000;

/**
 * Measures the NATs on the way out, and says what all of it means. Changes nothing on any router. Never takes longer than its
 * mode says, whatever is broken: what was not seen by then is missing. Rejects only when aborted.
 */
export async function measureNat(options: NatOptions): Promise<NatReport> {
  const { mode, signal, told = () => undefined } = options;
  const windowSeconds = options.windowSeconds ?? WINDOW_SECONDS[mode];
  const lateMs = windowSeconds === undefined ? QUICK_MS : windowSeconds * 1000 + BEYOND_WINDOW_MS;
  const survey = new Survey(AbortSignal.any([signal, AbortSignal.timeout(lateMs)]), told);
  const finding = survey.attempt('a relay', () => options.relay(survey.signal));
  await Promise.all([measureWay(survey, options, finding), measureByRelay(survey, finding, windowSeconds)]);
  if (signal.aborted)
    throw new GatewayError('NATs were not waited for', {
      code: 'Aborted',
      retry: 'never',
      cause: signal.reason,
    });
  return fuse(survey.seen);
}

type Finding = Promise<NatRelay | undefined>;

async function measureWay(survey: Survey, { stun }: NatOptions, finding: Finding): Promise<void> {
  const network = await survey.attempt('the way out', findHomeNetwork);
  if (network === undefined) return;
  survey.add({ method: 'own-address', address: network.address });
  const pings = new Pings(survey.signal);
  const farther = async (): Promise<void> => {
    const hops = await trace(survey, pings, network);
    if (pings.why !== undefined) survey.miss('routers on the way', `ping cannot be used here: ${pings.why}`);
    await lookFarther(survey, pings, hops, network.address);
  };
  const outside = async (): Promise<void> => {
    const relay = await finding;
    const servers = await stunAddresses([relay?.stun ?? [], stun].flat(), survey.signal);
    const server = servers.find(({ host }) => !host.includes(':'));
    const rest = async (): Promise<void> => {
      if (server === undefined) return;
      const distance = relay === undefined ? measureDistance(survey, server) : undefined;
      await Promise.all([behave(survey, server), distance]);
    };
    const owner = async (): Promise<void> => {
      const publicV4 = await seenFrom(survey, servers);
      if (publicV4 !== undefined && publicV4 !== network.address) await findOwner(survey, pings, publicV4);
    };
    await Promise.all([rest(), owner()]);
  };
  await Promise.all([
    survey.attempt('routers farther out', farther),
    survey.attempt('this home from outside', outside),
    lookAtFirst(survey, network),
  ]);
}

async function measureByRelay(
  survey: Survey,
  finding: Finding,
  windowSeconds: number | undefined,
): Promise<void> {
  const relay = await finding;
  if (relay === undefined) return;
  await survey.attempt('state on the way', async () => {
    using walk = await Walk.begin(relay.walk, MOST_ROUTERS + 1, survey.signal);
    const routers = await distanceOf(walk);
    survey.add({ method: 'distance', routers });
    const opening = outermostFilter(walk, routers).then((outermost) =>
      survey.add(outermost === undefined ? undefined : { method: 'opener', outermost }),
    );
    const expiring =
      windowSeconds === undefined || routers === 0
        ? undefined
        : findExpiry(walk, routers, windowSeconds).then((seen) => survey.add(seen));
    await Promise.all([opening, expiring]);
  });
}
