import type { EventType } from '../../core/events.ts';
import type { MappingDriver } from '../../core/mapping.ts';
import type { Log } from '../../core/ports.ts';
import type { HomeNetwork } from './home-network.ts';
import type { MemoryFile } from './memory.ts';

export interface PortMapperOptions {
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly network: () => Promise<HomeNetwork | undefined>;
  readonly drivers: (network: HomeNetwork) => readonly MappingDriver[];
  readonly file: Pick<MemoryFile, 'read' | 'write'>;
  readonly record: (type: EventType, message: string, data?: Readonly<Record<string, unknown>>) => void;
  readonly log: Log;
  /** Nobody misses what it cannot open: that it could not is shown, and no event. */
  readonly isExtra?: boolean;
  /** Something that is shown is another now. */
  readonly changed: () => void;
  /** This machine is in another network: announcements are to be heard there. */
  readonly moved?: (network: HomeNetwork | undefined) => void;
}
