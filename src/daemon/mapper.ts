import type { LeaseCheck } from '../core/mapping.ts';
import type { Log } from '../core/ports.ts';
import { PCP_ANNOUNCEMENTS, SSDP_ANNOUNCEMENTS } from '../system/mapping/announcement-kinds.ts';
import { Announcements } from '../system/mapping/announcements.ts';
import { findHomeNetwork } from '../system/mapping/home-network.ts';
import { MemoryFile } from '../system/mapping/memory.ts';
import { NatPmpDriver } from '../system/mapping/nat-pmp.ts';
import { PcpDriver } from '../system/mapping/pcp.ts';
import { PortMapper } from '../system/mapping/port-mapper.ts';
import { UpnpDriver } from '../system/mapping/upnp.ts';
import type { Recorder } from './journal.ts';

export interface MapperOptions {
  readonly file: string;
  readonly log: Log;
  readonly record: Recorder;
  readonly changed: () => void;
}

/** The mapper with everything that it needs of this machine. */
export function createMapper({ file, log, record, changed }: MapperOptions): PortMapper {
  const heard = (router: string, said: LeaseCheck): void => mapper.announced(router, said);
  const announcements = [PCP_ANNOUNCEMENTS, SSDP_ANNOUNCEMENTS].map(
    (kind) => new Announcements(kind, heard, log),
  );
  const mapper = new PortMapper({
    now: Date.now,
    random: Math.random,
    network: findHomeNetwork,
    drivers: ({ router }) => [new PcpDriver(router), new NatPmpDriver(router), new UpnpDriver(router)],
    file: new MemoryFile(file),
    record,
    log,
    changed,
    moved: (network) => {
      for (const group of announcements) {
        if (network === undefined) group.close();
        else group.listen(network.address);
      }
    },
  });
  return mapper;
}
