import { setTimeout as sleep } from 'node:timers/promises';
import { MappingError, type MappingRequest } from '../../core/mapping.ts';
import { addArguments, parseReservedPort, type AskedMapping } from '../../wire/igd-mapping.ts';
import { judgeReadBack, type ReadBack, type Verdict } from '../../wire/igd-verdict.ts';
import { callIgd, isFault } from './igd-call.ts';
import type { Igd } from './igd-find.ts';
import { readEntry, readTable, removeEntry } from './igd-table.ts';
import { aborted } from './router-http.ts';

export interface Opening {
  readonly igd: Igd;
  readonly request: MappingRequest;
  /** 0: until it is deleted. */
  readonly askedSeconds: number;
  /** What it granted for this port the last time. */
  readonly expectedSeconds: number | undefined;
}

export interface Opened {
  /** Not always the one that was asked for. */
  readonly externalPort: number;
  readonly askedSeconds: number;
  readonly listed: ReadBack;
  /** What it lists is ours, but under a description that it wrote itself. */
  readonly isRewritten: boolean;
}

const MOST_ROUNDS = 4;

/** Opens a port, and believes it only when the router lists it as it should be. */
export async function openPort(opening: Opening, signal: AbortSignal): Promise<Opened> {
  const { igd, request } = opening;
  let asked = askedOf(opening);
  let expected = opening.expectedSeconds ?? asked.leaseSeconds;
  let isReplaced = false;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const added = await addPort(igd, asked, signal);
    asked = added.asked;
    const which = { transport: asked.transport, externalPort: asked.externalPort };
    if (added.standing !== undefined) return openedOf(asked, added.standing, false);
    const listed = await readSettled(igd, which, signal);
    const verdict = judgeReadBack(asked, listed, asked.leaseSeconds === 0 ? 0 : expected);
    if (verdict === 'good') {
      return openedOf(
        asked,
        listed,
        typeof listed !== 'string' && listed.description !== request.description,
      );
    }
    if (verdict === 'drop-lease') asked = { ...asked, leaseSeconds: 0 };
    else if (verdict === 'replace' && !isReplaced) {
      await removeEntry(igd, which, signal);
      isReplaced = true;
    } else throw listedWrong(igd, asked, listed, verdict);
    // What it lists after this is what it grants.
    expected = 0;
  }
  throw new MappingError(
    `${igd.router} says that it opened ${asked.transport} port ${asked.externalPort}, but lists it otherwise each time`,
    { refusal: 'failed' },
  );
}

function openedOf(asked: AskedMapping, listed: ReadBack, isRewritten: boolean): Opened {
  return { externalPort: asked.externalPort, askedSeconds: asked.leaseSeconds, listed, isRewritten };
}

function askedOf({ request, askedSeconds }: Opening): AskedMapping {
  const { transport, externalPort, internalPort, internalAddress, description } = request;
  const internalClient = internalAddress;
  return { transport, externalPort, internalPort, internalClient, description, leaseSeconds: askedSeconds };
}

const SETTLE_MS = 300;

/** Some need a moment until they list what they granted. */
async function readSettled(
  igd: Igd,
  which: Pick<AskedMapping, 'transport' | 'externalPort'>,
  signal: AbortSignal,
): Promise<ReadBack> {
  const listed = await readEntry(igd, which, signal);
  if (listed !== 'nothing') return listed;
  try {
    await sleep(SETTLE_MS, undefined, { signal });
  } catch {
    throw aborted(igd.router, signal);
  }
  return await readEntry(igd, which, signal);
}

function listedWrong(igd: Igd, asked: AskedMapping, listed: ReadBack, verdict: Verdict): MappingError {
  const port = `${asked.transport} port ${asked.externalPort}`;
  const isElsewhere = verdict === 'belongs-to-another' || verdict === 'replace';
  if (isElsewhere && typeof listed !== 'string') {
    return new MappingError(
      `${igd.router} says that it opened ${port} for us, but it leads to ${listed.internalClient} port ${listed.internalPort}`,
      { refusal: 'conflict', hint: 'choose another port, or remove that entry in the router' },
    );
  }
  const state = verdict === 'is-disabled' ? 'lists it as switched off' : 'does not list it';
  return new MappingError(`${igd.router} says that it opened ${port}, but ${state}`, {
    refusal: 'failed',
    hint: "forward the port by hand in the router's own pages",
  });
}

interface Added {
  /** With the port that it chose, and the lease that it would take. */
  readonly asked: AskedMapping;
  /** There before, and leading to us already: left as it is. */
  readonly standing?: ReadBack;
}

type Remedy = 'drop-lease' | 'clear' | 'any-port' | 'same-port';

/**
 * AddPortMapping, and what is done about a refusal. Each remedy once:
 *
 * | refusal                          | remedy                                                                         |
 * | -------------------------------- | ------------------------------------------------------------------------------ |
 * | 725; 402 of a lease              | without a lease (tailscale #9343; #15223, an ARRIS)                            |
 * | 718, 729, leads to us, no end    | taken as it stands: somebody entered it by hand                                |
 * | 718, 729, leads to us            | delete it: this router refuses what it has already                             |
 * | 718, 729, with our description   | delete it: we had another address or port before                               |
 * | 718, 729                         | version 2: any port; otherwise the caller chooses another                      |
 * | 728, 501, 603                    | delete what we left behind at other ports (syncthing #2648), if there is any   |
 * | 724                              | same port outside as inside                                                    |
 */
async function addPort(igd: Igd, first: AskedMapping, signal: AbortSignal): Promise<Added> {
  const tried = new Set<Remedy>();
  let asked = first;
  for (;;) {
    try {
      if (tried.has('any-port')) return { asked: await addAnyPort(igd, asked, signal) };
      await callIgd(igd, 'AddPortMapping', addArguments(asked), signal);
      return { asked };
    } catch (error) {
      const next = await remedyFor(error, { igd, asked }, signal);
      if (next === 'standing') return { asked, standing: await readEntry(igd, asked, signal) };
      if (next === undefined || tried.has(next)) throw error;
      tried.add(next);
      if (next === 'drop-lease') asked = { ...asked, leaseSeconds: 0 };
      if (next === 'same-port') asked = { ...asked, externalPort: asked.internalPort };
    }
  }
}

async function addAnyPort(igd: Igd, asked: AskedMapping, signal: AbortSignal): Promise<AskedMapping> {
  const values = await callIgd(igd, 'AddAnyPortMapping', addArguments(asked), signal);
  return { ...asked, externalPort: parseReservedPort(values) ?? asked.externalPort };
}

async function remedyFor(
  error: unknown,
  { igd, asked }: { readonly igd: Igd; readonly asked: AskedMapping },
  signal: AbortSignal,
): Promise<Remedy | 'standing' | undefined> {
  if (isFault(error, 725)) return 'drop-lease';
  if (isFault(error, 402) && asked.leaseSeconds > 0) return 'drop-lease';
  if (isFault(error, 724) && asked.externalPort !== asked.internalPort) return 'same-port';
  if (isFault(error, 728, 501, 603)) {
    return (await clearLeftovers(igd, asked, signal)) > 0 ? 'clear' : undefined;
  }
  if (!isFault(error, 718, 729)) return undefined;
  return (await clearConflict(igd, asked, signal)) ?? (takesAnyPort(igd) ? 'any-port' : undefined);
}

function takesAnyPort({ service }: Igd): boolean {
  return service.name === 'WANIPConnection' && service.version >= 2;
}

/** What stands at the port that we want; nothing is done about what belongs to somebody else. */
async function clearConflict(
  igd: Igd,
  asked: AskedMapping,
  signal: AbortSignal,
): Promise<'standing' | 'clear' | undefined> {
  const listed = await readEntry(igd, asked, signal);
  if (typeof listed === 'string') return undefined;
  const { internalClient, internalPort, description, leaseSeconds = 0 } = listed;
  const leadsToUs = internalClient === asked.internalClient && internalPort === asked.internalPort;
  const isOurs = description === asked.description;
  if (!leadsToUs && !isOurs) return undefined;
  if (!isOurs && leaseSeconds === 0) return 'standing';
  await removeEntry(igd, asked, signal);
  return 'clear';
}

/** Mappings of the very same thing at other ports, from times when it was mapped anew each time. */
async function clearLeftovers(igd: Igd, asked: AskedMapping, signal: AbortSignal): Promise<number> {
  const leftovers = (await readTable(igd, signal)).filter(
    ({ description, transport, externalPort }) =>
      description === asked.description &&
      transport === asked.transport &&
      externalPort !== asked.externalPort,
  );
  for (const leftover of leftovers) await removeEntry(igd, leftover, signal);
  return leftovers.length;
}
