import { GatewayError } from '../../core/errors.ts';
import { formatEndpoint } from '../../core/inet.ts';
import type { RelayWalked, WalkQuestion } from '../../core/relay-walk.ts';
import type { RelayStatus } from '../../core/status.ts';
import type { Mode, NatReport } from '../../doctor/types.ts';
import { STUN_WITNESSES } from '../../doctor/witnesses.ts';
import { measureNat } from '../nat-probe/measure.ts';
import type { AskWalk } from '../nat-probe/walk.ts';

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
  const relay = isOffline ? undefined : await relayOf(api, signal);
  const own = relay?.stun === undefined ? [] : [relay.stun];
  const stun = isOffline ? [] : [...own, ...STUN_WITNESSES];
  return measureNat({ mode, stun, walk: relay?.walk, signal });
}

interface Helper {
  readonly walk: AskWalk;
  readonly stun: string | undefined;
}

/** The first that helps. A gateway that does not run, or that this user may not ask, has none. */
async function relayOf({ ask, post }: Api, signal: AbortSignal): Promise<Helper | undefined> {
  try {
    const relays = await ask<readonly RelayStatus[]>('/v1/relays', signal);
    for (const { name } of relays.filter(({ state }) => state === 'up')) {
      const walk = (question: WalkQuestion, until: AbortSignal): Promise<RelayWalked> =>
        post<RelayWalked>(`/v1/relays/${encodeURIComponent(name)}/walk`, question, until);
      const tried = await walk({ sends: [] }, signal).catch(nothingUnlessAborted);
      if (tried === undefined) continue;
      const { address: host, stunPort: port } = tried;
      return { walk, stun: port === null ? undefined : formatEndpoint({ host, port }) };
    }
  } catch (error) {
    nothingUnlessAborted(error);
  }
  return undefined;
}

function nothingUnlessAborted(error: unknown): undefined {
  if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
}
