import { z } from 'zod';
import type { NotifySettings } from './notify.ts';

/** Whom a relay tells that it hears nothing of a home any more. Both sides take the other for hostile. Pure. */

const MAX_TOLD = 16;

/** The relay asks nobody for a token, and trusts public roots alone: neither files nor secrets of a home travel. */
const Told = z.strictObject({
  by: z.enum(['webhook', 'ntfy']),
  url: z.url({ protocol: /^https?$/ }).max(2000),
});

/** Home's own word for this watch: the relay says it again, so that home knows whether it must be told anew. */
export const WatchMark = z.string().regex(/^[A-Za-z0-9_-]{0,64}$/);
export const HomeWatch = z.strictObject({ mark: WatchMark, tell: z.array(Told).max(MAX_TOLD) });
export type HomeWatch = z.infer<typeof HomeWatch>;

/** What a home tells its relays, and the names of those that it cannot tell them. */
export interface WantedWatch {
  readonly tell: HomeWatch['tell'];
  readonly left: readonly string[];
}

/**
 *   receiver                       | the relay tells it
 *   -------------------------------+------------------------------------------
 *   webhook, ntfy                  | yes
 *   the same with token or roots   | no: these are files and secrets of home's
 *   the same at an onion           | no: a relay has no tor
 *   mail, command                  | no
 *
 * With a service that is `tor-only` nobody is told: whoever is told by the relay learns of it, and with it where home is.
 */
export function watchFor(settings: NotifySettings | undefined, hasTorOnly: boolean): WantedWatch {
  if (settings?.whenHomeDies !== true) return { tell: [], left: [] };
  const tell: HomeWatch['tell'] = [];
  const left: string[] = [];
  for (const receiver of settings.to) {
    const can = !hasTorOnly && (receiver.by === 'webhook' || receiver.by === 'ntfy');
    const isPlain = can && receiver.token === undefined && receiver.roots === undefined;
    const isOnion = can && new URL(receiver.url).hostname.endsWith('.onion');
    if (isPlain && !isOnion) tell.push({ by: receiver.by, url: receiver.url });
    else left.push(receiver.by === 'mail' || receiver.by === 'command' ? receiver.by : hostOf(receiver.url));
  }
  return { tell, left };
}

function hostOf(url: string): string {
  return new URL(url).host;
}

export interface Silence {
  readonly silentMs: number;
  /** The owner was told of it. */
  readonly isTold: boolean;
  /** Since the owner was told so last; `undefined`: never. */
  readonly toldAgoMs: number | undefined;
}

export interface SilenceLimits {
  readonly silentMs: number;
  readonly apartMs: number;
}

/**
 *   told   | nothing heard for | told last           | then
 *   -------+-------------------+---------------------+------------------------
 *   no     | less              | any                 | nothing
 *   no     | three minutes     | within the hour     | wait
 *   no     | three minutes     | earlier, or never   | tell that it is silent
 *   yes    | less              | any                 | tell that it is back
 *   yes    | three minutes     | any                 | nothing
 */
export function silenceNews(
  { silentMs, isTold, toldAgoMs }: Silence,
  limits: SilenceLimits,
): 'silent' | 'back' | undefined {
  const isSilent = silentMs >= limits.silentMs;
  if (isTold) return isSilent ? undefined : 'back';
  if (!isSilent) return undefined;
  return toldAgoMs === undefined || toldAgoMs >= limits.apartMs ? 'silent' : undefined;
}
