import type { Log } from '../core/ports.ts';
import { Announcements } from '../system/mapping/announcements.ts';
import { findHomeNetwork } from '../system/mapping/home-network.ts';
import { MemoryFile } from '../system/mapping/memory.ts';
import { NatPmpDriver } from '../system/mapping/nat-pmp.ts';
import { PcpDriver } from '../system/mapping/pcp.ts';
import { PortMapper } from '../system/mapping/port-mapper.ts';
import type { Recorder } from './journal.ts';

export interface MapperOptions {
  readonly file: string;
  readonly log: Log;
  readonly record: Recorder;
  readonly changed: () => void;
}

/** The mapper with everything that it needs of this machine. */
export function createMapper({ file, log, record, changed }: MapperOptions): PortMapper {
  const announcements = new Announcements((router, said) => mapper.announced(router, said), log);
  const mapper = new PortMapper({
    now: Date.now,
    random: Math.random,
    network: findHomeNetwork,
    drivers: ({ router }) => [new PcpDriver(router), new NatPmpDriver(router)],
    file: new MemoryFile(file),
    record,
    log,
    changed,
    moved: (network) =>
      network === undefined ? announcements.close() : announcements.listen(network.address),
  });
  return mapper;
}
