import type { KeptCarry } from '../../src/core/carrier.ts';
import type { Facts } from '../../src/core/page-facts.ts';
import type { SeenRelay } from './observe.ts';

/** WireGuard makes a new handshake every two minutes while anything is sent, and home sends by itself. */
const ALIVE_SECONDS = 180;

/**
 *   handshake        | said of the tunnel
 *   -----------------+--------------------
 *   none ever        | silent
 *   three minutes    | silent
 *   more recent      | up
 *
 * One of several that is up is enough for visitors to come in.
 */
export function judgeTunnels(relays: readonly SeenRelay[], nowMs: number): Facts {
  const up = relays.filter(({ seen }) => nowMs / 1000 - seen.latestHandshake < ALIVE_SECONDS);
  const silent = relays.filter((relay) => !up.includes(relay));
  const told = silent.map(({ name, seen }) => {
    const where = seen.endpoint === undefined ? '' : ` at UDP ${seen.endpoint}`;
    return `the relay ${name} does not answer${where}`;
  });
  return {
    tunnel: up.length > 0 ? 'up' : 'silent',
    ...(told.length === 0 ? {} : { silent: told.join('; ') }),
  };
}

type Said = NonNullable<KeptCarry['said']>;
interface Verdict {
  readonly granted: boolean;
  readonly why?: string | undefined;
}

/** What the relays said to the request; one that grants it is enough. */
export function verdictsOn(relays: readonly SeenRelay[], find: (said: Said) => Verdict | undefined): Facts {
  const verdicts = relays.map(({ name, kept }) => {
    const said = kept?.said;
    return { name, verdict: said === undefined ? undefined : find(said) };
  });
  if (verdicts.some(({ verdict }) => verdict?.granted === true)) return { granted: true };
  const refused = verdicts.flatMap(({ name, verdict }) =>
    verdict === undefined
      ? []
      : [`the relay ${name} refuses: ${plain(verdict.why ?? 'it does not say why')}`],
  );
  return refused.length === 0 ? {} : { granted: false, refusal: refused.join('; ') };
}

/** A relay is hostile, and its words go to a terminal. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
