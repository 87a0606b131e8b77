import {
  MappingError,
  type Lease,
  type LeaseCheck,
  type MappingDriver,
  type MappingRequest,
  type RouterEntry,
  type RouterMark,
} from '../../core/mapping.ts';
import type { IgdEntry } from '../../wire/igd-mapping.ts';
import { leaseOf, type ReadBack } from '../../wire/igd-verdict.ts';
import { isFault } from './igd-call.ts';
import { explainNoAddress, findIgd, readState, type Igd } from './igd-find.ts';
import { openPort } from './igd-open.ts';
import { readEntry, readTable, removeEntry } from './igd-table.ts';
import { leaseFrom } from './lease.ts';
import { SearchManner } from './search-manner.ts';
import { Uptime } from './uptime.ts';

/** Of how many checks one asks for the state of the connection as well. */
const STATE_EVERY = 3;

/**
 * UPnP Internet Gateway Devices, version 1 and 2, for IPv4. Only `router` is spoken to, whatever its answers name; nothing
 * is ever subscribed to (CVE-2020-12695). What was found is kept until the router does not know it any more.
 */
export class UpnpDriver implements MappingDriver {
  readonly protocol = 'upnp';
  readonly router: string;
  #igd: Igd | undefined;
  #location: string | undefined;
  /** It refuses every lease that ends, or forgets it. */
  #knowsOnlyPermanent = false;
  readonly #uptime = new Uptime();
  #checks = 0;
  readonly #manner = new SearchManner();
  /** It writes descriptions of its own. */
  #rewrites = false;
  /** Seconds granted last time, for each `transport:port`. */
  readonly #granted = new Map<string, number>();

  readonly #isFar: boolean;

  /** `isFar`: behind another router, where only what is sent to itself arrives. */
  constructor(router: string, isFar = false) {
    this.router = router;
    this.#isFar = isFar;
  }

  map(request: MappingRequest, signal: AbortSignal): Promise<Lease> {
    return this.#using(signal, async (igd, isFresh) => {
      const key = `${request.transport}:${request.externalPort}`;
      const askedSeconds = this.#knowsOnlyPermanent ? 0 : request.lifetimeSeconds;
      const opened = await openPort(
        { igd, request, askedSeconds, expectedSeconds: this.#granted.get(key) },
        signal,
      ).catch(async (error: unknown) => Promise.reject(await this.#explained(igd, error, signal)));
      this.#knowsOnlyPermanent ||= opened.askedSeconds === 0 && request.lifetimeSeconds > 0;
      this.#rewrites ||= opened.isRewritten;
      const lifetimeSeconds = leaseOf(opened.askedSeconds, opened.listed);
      this.#granted.set(`${request.transport}:${opened.externalPort}`, lifetimeSeconds);
      const state = isFresh ? igd.state : await readState(igd, signal);
      return leaseFrom(this, request, {
        externalPort: opened.externalPort,
        externalAddress: state.externalAddress,
        lifetimeSeconds,
        mark: this.#markOf(igd, state.uptimeSeconds),
      });
    });
  }

  /** An entry that leads somewhere else by now is not ours, and stays. */
  unmap(lease: Lease, signal: AbortSignal): Promise<void> {
    return this.#using(signal, async (igd) => {
      this.#granted.delete(`${lease.transport}:${lease.externalPort}`);
      if (!this.#isOurs(await readEntry(igd, lease, signal), lease)) return;
      await removeEntry(igd, lease, signal);
      if ((await readEntry(igd, lease, signal)) === 'nothing') return;
      // Some say yes and keep it; and some list it a moment longer.
      await removeEntry(igd, lease, signal);
      const listed = await readEntry(igd, lease, signal);
      if (typeof listed === 'string' || !leadsTo(listed, lease)) return;
      throw new MappingError(
        `${this.router} still lists the mapping of ${lease.transport} port ${lease.externalPort} after deleting it`,
        { refusal: 'failed', hint: "remove it in the router's own pages, or restart the router" },
      );
    });
  }

  /** The entry each time; the state of the connection now and then: a steady home asks little. */
  check(lease: Lease, signal: AbortSignal): Promise<LeaseCheck> {
    return this.#using(signal, async (igd) => {
      const listed = await readEntry(igd, lease, signal);
      this.#checks += 1;
      const state = this.#checks % STATE_EVERY === 0 ? await readState(igd, signal) : undefined;
      const left = typeof listed === 'string' ? undefined : listed.leaseSeconds;
      return {
        mark: this.#markOf(igd, state?.uptimeSeconds),
        ...(listed === 'unanswered' ? {} : { isThere: listed !== 'nothing' && leadsTo(listed, lease) }),
        ...(left === undefined || left === 0 ? {} : { lifetimeSeconds: left }),
        ...(state?.externalAddress === undefined ? {} : { externalAddress: state.externalAddress }),
      };
    });
  }

  list(signal: AbortSignal): Promise<readonly RouterEntry[] | undefined> {
    return this.#using(signal, async (igd) => {
      const entries = await readTable(igd, signal);
      return entries.map(({ internalClient, leaseSeconds, isEnabled: _shown, ...entry }) => ({
        ...entry,
        internalAddress: internalClient,
        lifetimeSeconds: leaseSeconds ?? 0,
      }));
    });
  }

  externalAddress(signal: AbortSignal): Promise<string | undefined> {
    return this.#using(signal, async (igd, isFresh) => {
      const state = isFresh ? igd.state : await readState(igd, signal);
      return state.externalAddress;
    });
  }

  /** Looks for it again, once, when what was found earlier is not there any more. */
  async #using<Result>(
    signal: AbortSignal,
    act: (igd: Igd, isFresh: boolean) => Promise<Result>,
  ): Promise<Result> {
    const kept = this.#igd;
    if (kept !== undefined) {
      try {
        return await act(kept, false);
      } catch (error) {
        if (!isGone(error)) throw error;
        this.#igd = undefined;
      }
    }
    const igd = await this.#find(signal);
    // Announcements tell its next start; what it said at this one is old by then.
    this.#igd = { ...igd, bootId: undefined };
    this.#location = igd.location;
    return await act(igd, true);
  }

  async #find(signal: AbortSignal): Promise<Igd> {
    const manner = this.#manner.next(Date.now());
    const search = { router: this.router, isFar: this.#isFar, known: this.#location };
    try {
      const found = await findIgd({ ...search, ...manner }, signal);
      this.#manner.found();
      return found;
    } catch (error) {
      this.#manner.failed(manner, this.#location !== undefined, Date.now());
      throw error;
    }
  }

  /**
   * May it be deleted? It must lead to us, and have been made by us: some routers write descriptions of their own, but what
   * people enter in a router's pages has no end. An answer that cannot be had is no proof against it.
   */
  #isOurs(listed: ReadBack, lease: Lease): boolean {
    if (typeof listed === 'string') return listed === 'unanswered';
    if (!leadsTo(listed, lease)) return false;
    return listed.description === lease.description || this.#rewrites || (listed.leaseSeconds ?? 0) > 0;
  }

  #markOf(
    { description, bootId }: Pick<Igd, 'description' | 'bootId'>,
    uptimeSeconds: number | undefined,
  ): RouterMark {
    const epochSeconds = this.#uptime.take(uptimeSeconds, Date.now());
    return {
      ...(epochSeconds === undefined ? {} : { epochSeconds }),
      ...(bootId === undefined ? {} : { bootId: `${description.udn}#${bootId}` }),
    };
  }

  /** miniupnpd with a private outside address answers 501, others with other codes: the address says why. */
  async #explained(igd: Igd, error: unknown, signal: AbortSignal): Promise<unknown> {
    if (!isFault(error, 501, 402) || signal.aborted) return error;
    const { externalAddress } = await readState(igd, signal);
    if (externalAddress !== undefined) return error;
    const why = await explainNoAddress(igd, signal);
    return new MappingError(
      `${error.message}; it has no outside address of its own${why === undefined ? '' : `: ${why}`}`,
      { refusal: 'no-address', cause: error },
    );
  }
}

function isGone(error: unknown): boolean {
  return error instanceof MappingError && (error.refusal === 'silent' || error.refusal === 'unsupported');
}

function leadsTo(listed: IgdEntry, { internalAddress, internalPort }: Lease): boolean {
  return listed.internalClient === internalAddress && listed.internalPort === internalPort;
}
