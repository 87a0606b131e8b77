import type { LeaseCheck, MappingDriver } from '../core/mapping.ts';
import type { Log } from '../core/ports.ts';
import {
  PCP_ANNOUNCEMENTS,
  PCP_ANNOUNCEMENTS_V6,
  SSDP_ANNOUNCEMENTS,
} from '../system/mapping/announcement-kinds.ts';
import { Announcements } from '../system/mapping/announcements.ts';
import { UNKNOWN_ASKER } from '../system/mapping/chain.ts';
import { HomeMapper } from '../system/mapping/home-mapper.ts';
import { findHomeNetwork, type HomeNetwork } from '../system/mapping/home-network.ts';
import { findHomeNetwork6 } from '../system/mapping/home-network6.ts';
import { MemoryFile } from '../system/mapping/memory.ts';
import { NatPmpDriver } from '../system/mapping/nat-pmp.ts';
import { PcpDriver } from '../system/mapping/pcp.ts';
import { PortMapper } from '../system/mapping/port-mapper.ts';
import { UpnpDriver } from '../system/mapping/upnp.ts';
import { UpnpPinholeDriver } from '../system/mapping/upnp-pinhole.ts';
import type { Recorder } from './journal.ts';

export interface MapperOptions {
  readonly file: string;
  readonly log: Log;
  readonly record: Recorder;
  readonly changed: () => void;
}

/** The mapper with everything that it needs of this machine. */
export function createMapper({ file, log, record, changed }: MapperOptions): HomeMapper {
  const heard = (router: string, said: LeaseCheck): void => mapper.announced(router, said);
  const announcements6 = new Announcements(PCP_ANNOUNCEMENTS_V6, heard, log);
  const announcements = [PCP_ANNOUNCEMENTS, SSDP_ANNOUNCEMENTS].map(
    (kind) => new Announcements(kind, heard, log),
  );
  const common = { now: Date.now, random: Math.random, network: findHomeNetwork, record, log };
  const stem = file.replace(/\.json$/, '');
  const mapper = new HomeMapper({
    pinholes: new PortMapper({
      ...common,
      network: findHomeNetwork6,
      drivers: ({ router }) => [new PcpDriver(router), new UpnpPinholeDriver(router)],
      file: new MemoryFile(`${stem}-ipv6.json`),
      record: (type, message, data) => record(type, `IPv6: ${message}`, data),
      changed,
      isExtra: true,
      moved: (network) => {
        const zone = /%.*$/.exec(network?.router ?? '')?.[0];
        if (zone === undefined) announcements6.close();
        else announcements6.listen(`::${zone}`);
      },
    }),
    near: (followed) =>
      new PortMapper({
        ...common,
        drivers: ({ router }) => [new PcpDriver(router), new NatPmpDriver(router), new UpnpDriver(router)],
        file: new MemoryFile(file),
        changed: followed,
        moved: (network) => {
          for (const group of announcements) {
            if (network === undefined) group.close();
            else group.listen(network.address);
          }
        },
      }),
    chain: { ...common, stem, drivers: fartherDrivers },
    log,
    changed,
  });
  return mapper;
}

function fartherDrivers({ router, address }: HomeNetwork): readonly MappingDriver[] {
  const natPmp = new NatPmpDriver(router);
  return address === UNKNOWN_ASKER ? [natPmp] : [new PcpDriver(router), natPmp, new UpnpDriver(router, true)];
}
