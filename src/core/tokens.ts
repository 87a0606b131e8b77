import type { Ledger } from './contract.ts';
import type { TokenKind } from './node-access.ts';
import { RIGHTS, type Rights } from './rights.ts';
import type { Ledgers } from './state.ts';

/**
 * Macaroons and runes that were made for devices, as the ledger remembers them; never what is in them:
 *
 *   live/<service>/<device>       kind, id and rights
 *   ending/<service>/<kind>/<id>  device; it must be taken back, and the node has not said yet that it was
 *
 * One that is being made is in `ending` until it was handed out, so that whatever ends the making ends it too.
 */
export const TOKENS = 'tokens';

export interface Token {
  readonly service: string;
  readonly device: string;
  readonly kind: TokenKind;
  /** LND's root key id; Core Lightning's unique id of the rune. */
  readonly id: string;
}

export interface LiveToken extends Token {
  readonly rights: Rights;
}

export function liveTokens(ledgers: Ledgers): LiveToken[] {
  return Object.entries(ledgers[TOKENS] ?? {}).flatMap(([key, value]): LiveToken[] => {
    const [state, service, device] = key.split('/');
    const [kind, id, right] = String(value).split(' ');
    const rights = RIGHTS.find((each) => each === right);
    if (state !== 'live' || service === undefined || device === undefined) return [];
    if (!isKind(kind) || id === undefined || rights === undefined) return [];
    return [{ service, device, kind, id, rights }];
  });
}

export function endingTokens(ledgers: Ledgers): Token[] {
  return Object.entries(ledgers[TOKENS] ?? {}).flatMap(([key, value]): Token[] => {
    const [state, service, kind, id] = key.split('/');
    if (state !== 'ending' || service === undefined || !isKind(kind) || id === undefined) return [];
    return [{ service, device: String(value), kind, id }];
  });
}

/** To be taken back from now on. */
export function ending(ledgers: Ledgers, token: Token): Ledgers {
  return changed(ledgers, (slice) => ({ ...slice, [endingKey(token)]: token.device }));
}

/** The node has taken it back, or never made it. */
export function ended(ledgers: Ledgers, token: Token): Ledgers {
  const gone = endingKey(token);
  return changed(ledgers, (slice) =>
    Object.fromEntries(Object.entries(slice).filter(([key]) => key !== gone)),
  );
}

/** Handed out; the one that the device had before must be taken back. */
export function live(ledgers: Ledgers, token: LiveToken): Ledgers {
  const { service, device, kind, id, rights } = token;
  const without = ended(endTokens(ledgers, device, [service]), token);
  return changed(without, (slice) => ({
    ...slice,
    [`live/${service}/${device}`]: `${kind} ${id} ${rights}`,
  }));
}

/** All of a device, or those for some services, must be taken back. */
export function endTokens(ledgers: Ledgers, device: string, services?: readonly string[]): Ledgers {
  const over = liveTokens(ledgers).filter(
    (token) => token.device === device && (services?.includes(token.service) ?? true),
  );
  return over.reduce(
    (before, token) =>
      changed(ending(before, token), (slice) =>
        Object.fromEntries(
          Object.entries(slice).filter(([key]) => key !== `live/${token.service}/${device}`),
        ),
      ),
    ledgers,
  );
}

function endingKey({ service, kind, id }: Token): string {
  return `ending/${service}/${kind}/${id}`;
}

function changed(ledgers: Ledgers, change: (slice: Ledger) => Ledger): Ledgers {
  return { ...ledgers, [TOKENS]: change(ledgers[TOKENS] ?? {}) };
}

function isKind(text: string | undefined): text is TokenKind {
  return text === 'macaroon' || text === 'rune';
}
