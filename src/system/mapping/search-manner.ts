/** A router without UPnP is not knocked at in vain each time. */
const GUESS_EVERY_MS = 3_600_000;

export interface Manner {
  /** Where nothing answers, the usual places are tried. */
  readonly mayGuess: boolean;
  readonly isBrief: boolean;
}

/** How much a router is asked for its description: one that never had any, little. */
export class SearchManner {
  #guessAgainAt = 0;
  #isSilent = false;

  next(now: number): Manner {
    const mayGuess = now >= this.#guessAgainAt;
    return { mayGuess, isBrief: this.#isSilent && !mayGuess };
  }

  found(): void {
    this.#isSilent = false;
  }

  /** `isKnown`: it had a description before, and may be starting. */
  failed({ mayGuess }: Manner, isKnown: boolean, now: number): void {
    if (mayGuess) this.#guessAgainAt = now + GUESS_EVERY_MS;
    this.#isSilent = !isKnown;
  }
}
