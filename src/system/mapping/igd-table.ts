import { MappingError, type Lease } from '../../core/mapping.ts';
import { parseEntry, parseSpecificEntry, whichArguments, type IgdEntry } from '../../wire/igd-mapping.ts';
import type { ReadBack } from '../../wire/igd-verdict.ts';
import { callIgd, IgdFault, isFault, type Called } from './igd-call.ts';

/** A router's table of mappings: one line, all lines, and one line less. */

/** A router that has more lines is not asked for them, and one without end neither. */
const MOST_ENTRIES = 256;

export type Which = Pick<Lease, 'transport' | 'externalPort'>;

/** 714, and 402 or 713 of those who have only one answer for everything: nothing there. */
export async function readEntry(igd: Called, which: Which, signal: AbortSignal): Promise<ReadBack> {
  try {
    const values = await callIgd(igd, 'GetSpecificPortMappingEntry', whichArguments(which), signal);
    return parseSpecificEntry(values, which) ?? 'unanswered';
  } catch (error) {
    if (isFault(error, 714, 713)) return 'nothing';
    const isRefused =
      error instanceof IgdFault || (error instanceof MappingError && error.refusal === 'failed');
    if (isRefused) return 'unanswered';
    throw error;
  }
}

export async function removeEntry(igd: Called, which: Which, signal: AbortSignal): Promise<void> {
  try {
    await callIgd(igd, 'DeletePortMapping', whichArguments(which), signal);
  } catch (error) {
    if (!isFault(error, 714)) throw error;
  }
}

/** Until the router says that there is no more, repeats itself, or has said enough. */
export async function readTable(igd: Called, signal: AbortSignal): Promise<IgdEntry[]> {
  const entries: IgdEntry[] = [];
  const seen = new Set<string>();
  for (let index = 0; index < MOST_ENTRIES; index += 1) {
    try {
      const values = await callIgd(
        igd,
        'GetGenericPortMappingEntry',
        [['NewPortMappingIndex', index]],
        signal,
      );
      const entry = parseEntry(values);
      const key = `${entry?.transport}:${entry?.externalPort}`;
      if (entry !== undefined && seen.has(key)) break;
      seen.add(key);
      if (entry !== undefined) entries.push(entry);
    } catch (error) {
      // 713 by the book; other refusals of an index that is one too many are just as good.
      if (isFault(error, 713, 714, 402, 501)) break;
      throw error;
    }
  }
  return entries;
}
