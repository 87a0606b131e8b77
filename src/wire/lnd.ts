import { upTo, type Rights } from '../core/rights.ts';
import type { Permission } from './macaroon.ts';

/**
 * LND's REST interface for macaroons (lightning.proto: BakeMacaroon, DeleteMacaroonID), as far as a device's own one needs
 * it. The permissions are those of LND's docs/macaroons.md: what readonly.macaroon and invoice.macaroon have of what a
 * wallet shows; paying over Lightning is offchain:write. None can make macaroons or send coins on chain.
 */
const PERMISSIONS: Readonly<Record<Rights, readonly string[]>> = {
  read: ['info:read', 'invoices:read', 'offchain:read', 'onchain:read', 'peers:read'],
  invoice: ['invoices:write', 'address:read', 'address:write'],
  pay: ['offchain:write'],
};

export function lndPermissions(rights: Rights): Permission[] {
  return upTo(rights, PERMISSIONS).map((text) => {
    const [entity = '', action = ''] = text.split(':');
    return { entity, action };
  });
}

/** A number of LND (uint64), as JSON has it: text. */
export function bakeRequest(rootKeyId: string, rights: Rights): object {
  return { permissions: lndPermissions(rights), root_key_id: rootKeyId };
}

/** `host:port` each. */
export interface AddressUpdate {
  readonly add?: string | undefined;
  readonly remove?: string | undefined;
}

/**
 * UpdateNodeAnnouncement (peersrpc/peers.proto). LND adds nothing twice and removes what is not there without a word; the
 * new address is no longer announced once LND itself was restarted.
 */
export function announcementRequest({ add, remove }: AddressUpdate): object {
  const update = (action: 'ADD' | 'REMOVE', address: string | undefined): object[] =>
    address === undefined ? [] : [{ action, address }];
  return { address_updates: [...update('ADD', add), ...update('REMOVE', remove)] };
}

/** 48 bits: never LND's own 0, never what a person counts up from, and exact in every JSON reader. */
export function rootKeyIdFrom(random: Uint8Array): string {
  const number = random.slice(0, 6).reduce((sum, byte) => sum * 256 + byte, 0);
  return String(number + 2 ** 32);
}
