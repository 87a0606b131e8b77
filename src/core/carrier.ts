import type { RelayCarried, RelayCarry, RelayCarrying } from './relay-carry.ts';

/** What relays carry for this home, and a visit to where their visitors come in. */
export interface Carrier {
  /** What each relay was asked for, also by the daemon before this one. Asks nobody. */
  kept(): Promise<readonly KeptCarry[]>;
  /** The complete set, which replaces the one before. `RelayUnknown`, `RelayUnreachable`, `RelayRefused`. */
  carry(relay: string, carry: RelayCarry, signal: AbortSignal): Promise<void>;
  /** Nothing any more. A relay that does not answer, or was left, is forgotten all the same. */
  release(relay: string, signal: AbortSignal): Promise<void>;
  /** As any visitor would, from this machine by its own line: connects (over UDP there is nothing to connect), sends, and gives back what comes. Rejects only when aborted. */
  visit(visit: RelayVisit, signal: AbortSignal): Promise<RelayVisited>;
}

export interface KeptCarry {
  readonly relay: string;
  readonly asked: RelayCarry;
  /** What it said to that; absent: it did not answer yet. */
  readonly said?: RelayCarried;
  /** As it told last how it is, since the daemon started. */
  readonly carrying?: RelayCarrying;
  /** Where the WireGuard of this home's devices comes in by it; absent: nowhere. */
  readonly devices?: { readonly endpoint: string; readonly tunnelMtu: number };
}

export interface RelayVisit {
  readonly transport: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** At most 1 KiB. */
  readonly payload: Uint8Array;
  /** Over TCP: as many bytes back are enough. */
  readonly enough: number;
}

export interface RelayVisited {
  /** `failed`: it could not even be tried. */
  readonly outcome: 'answered' | 'silent' | 'refused' | 'failed';
  /** At most 8 KiB, hostile. */
  readonly answer: Uint8Array;
}

/** Why a relay must be told again; `undefined`: it carries what it granted, as far as it told. */
export function whyTellAgain({ said, carrying }: KeptCarry): string | undefined {
  if (said === undefined) return 'the relay did not answer yet';
  if (carrying === undefined) return undefined;
  const held = new Set(carrying.names);
  const lost = said.names.find(({ name, granted }) => granted && !held.has(name));
  if (lost !== undefined) return `the relay does not carry ${lost.name} any more`;
  if (said.devicesPort !== null && said.devicesPort !== carrying.devicesPort)
    return 'the relay does not carry devices any more';
  const ports = new Set(carrying.ports.map(({ protocol, from }) => `${protocol}/${from}`));
  const closed = said.ports.find(
    ({ protocol, from, granted }) => granted && !ports.has(`${protocol}/${from}`),
  );
  return closed === undefined ? undefined : `the relay does not carry port ${closed.from} any more`;
}
