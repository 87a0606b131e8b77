import type { Privacy } from '../../core/service.ts';
import type { Visited } from '../world.ts';

/** What was seen of services that hide where they are, and of the home from outside. Nothing here asks anybody. */
export interface Seen {
  readonly subjects: readonly SubjectSeen[];
  readonly places: readonly PlaceSeen[];
  readonly known: Known;
  /** What the router says that everybody mapped. */
  readonly router: readonly RouterEntry[];
}

/** A service that must not be tied to the home, or that has an onion beside another way. */
export interface Subject {
  readonly name: string;
  readonly privacy: Privacy;
  /** Where its program listens. */
  readonly target: { readonly address: string; readonly port: number };
  /** Where its visitors come in who are not to learn more; `undefined`: only devices do. */
  readonly front: Door | undefined;
}

export interface SubjectSeen extends Subject {
  readonly pages: readonly PageSeen[];
}

export interface PageSeen {
  readonly path: string;
  readonly visited: Visited;
}

export interface Door {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** A page that strangers reach at the home (`home`), or at a public name that leads elsewhere (`name`). */
export interface Place {
  readonly url: string;
  readonly door: Door;
  readonly tells: 'home' | 'name';
}

export interface PlaceSeen extends Place {
  readonly pages: readonly PageSeen[];
}

/** What ties a page to the home. */
export interface Known {
  readonly addresses: readonly string[];
  /** Of this machine, inside the home. */
  readonly inside: readonly string[];
  readonly names: readonly string[];
}

export interface RouterEntry {
  readonly externalPort: number;
  readonly internalAddress: string;
  readonly internalPort: number;
  readonly description: string;
}
