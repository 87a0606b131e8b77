import { GatewayError } from '../../core/errors.ts';
import { formatEndpoint } from '../../core/inet.ts';
import type { RelayWalked, WalkQuestion } from '../../core/relay-walk.ts';
import type { RelayStatus } from '../../core/status.ts';
import type { Mode, NatReport } from '../../doctor/types.ts';
import { STUN_WITNESSES } from '../../doctor/witnesses.ts';
import { measureNat, type NatRelay } from '../nat-probe/measure.ts';

/** The gateway's API; both reject with `GatewayError`. */
export interface Api {
  readonly ask: <Answer>(path: string, signal: AbortSignal) => Promise<Answer>;
  readonly post: <Answer>(path: string, body: unknown, signal: AbortSignal) => Promise<Answer>;
}

/** With a relay that was joined, or without; the other witnesses of the address are asked unless `isOffline`. */
export async function lookForNats(
  api: Api,
  mode: Mode,
  isOffline: boolean,
  signal: AbortSignal,
): Promise<NatReport> {
  return await measureNat({
    mode,
    stun: isOffline ? [] : STUN_WITNESSES,
    relay: async (until) => (isOffline ? undefined : await relayOf(api, until)),
    signal,
  });
}

/** A relay that does not answer must not keep the rest waiting. */
const FIND_MS = 2000;

/** The first that helps. A gateway that does not run, or that this user may not ask, has none. */
async function relayOf({ ask, post }: Api, signal: AbortSignal): Promise<NatRelay | undefined> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(FIND_MS)]);
  try {
    const relays = await ask<readonly RelayStatus[]>('/v1/relays', soon);
    for (const { name } of relays.filter(({ state }) => state === 'up')) {
      const walk = (question: WalkQuestion, until: AbortSignal): Promise<RelayWalked> =>
        post<RelayWalked>(`/v1/relays/${encodeURIComponent(name)}/walk`, question, until);
      const tried = await walk({ sends: [] }, soon).catch(nothing);
      if (tried === undefined) continue;
      const { address: host, stunPort: port } = tried;
      return { walk, stun: port === null ? undefined : formatEndpoint({ host, port }) };
    }
  } catch (error) {
    nothing(error);
  }
  return undefined;
}

/** Also when it took too long; whether everything was aborted is asked elsewhere. */
function nothing(error: unknown): undefined {
  if (!(error instanceof GatewayError)) throw error;
}
