import { isRouterAddress, type LeaseCheck } from '../../core/mapping.ts';
import { parseNatPmpAnswer } from '../../wire/nat-pmp.ts';
import { ANNOUNCE_GROUP, ANNOUNCE_GROUP_V6, ANNOUNCE_PORT, parsePcpAnswer } from '../../wire/pcp.ts';
import { isGatewayDevice, parseSsdp, SSDP_GROUP, SSDP_PORT } from '../../wire/ssdp.ts';
import type { AnnouncementKind } from './announcements.ts';

/** A restart (RFC 6887 14.1.3) or another address (RFC 6886 3.2.1). */
export const PCP_ANNOUNCEMENTS: AnnouncementKind = {
  name: 'announcements',
  group: ANNOUNCE_GROUP,
  port: ANNOUNCE_PORT,
  read: readPcp,
};

/** The same over IPv6. */
export const PCP_ANNOUNCEMENTS_V6: AnnouncementKind = { ...PCP_ANNOUNCEMENTS, group: ANNOUNCE_GROUP_V6 };

/** UPnP: that it is there, and with which BOOTID, which is another after each restart (UDA 1.1, 1.2.2). */
export const SSDP_ANNOUNCEMENTS: AnnouncementKind = {
  name: 'UPnP announcements',
  group: SSDP_GROUP,
  port: SSDP_PORT,
  bindTo: SSDP_GROUP,
  read: (bytes) => readSsdp(bytes.toString('latin1')),
};

function readPcp(bytes: Uint8Array): LeaseCheck | undefined {
  const pcp = parsePcpAnswer(bytes);
  if (pcp?.type === 'announce' && pcp.result === 0) return { mark: { epochSeconds: pcp.epochSeconds } };
  const natPmp = parseNatPmpAnswer(bytes);
  if (natPmp?.type !== 'address' || natPmp.result !== 0) return undefined;
  const { address: externalAddress, epochSeconds } = natPmp;
  return { mark: { epochSeconds }, ...(isRouterAddress(externalAddress) ? { externalAddress } : {}) };
}

/**
 * The same mark as a driver's: the device's name and its BOOTID. Of the router itself only: the devices in it have names of
 * their own, and announce themselves too.
 */
function readSsdp(text: string): LeaseCheck | undefined {
  const message = parseSsdp(text);
  if (message === undefined || message.kind === 'answer' || !isGatewayDevice(message.target))
    return undefined;
  const device = message.usn.split('::', 1)[0] ?? '';
  return message.bootId === undefined ? undefined : { mark: { bootId: `${device}#${message.bootId}` } };
}
