import { upTo, type Rights } from '../core/rights.ts';

/**
 * Core Lightning's restrictions of a rune (lightning-createrune): all of the lists must hold, of each list one. `read` is
 * what `restrictions=readonly` means there, and what wallets ask to show it.
 */
const METHODS: Readonly<Record<Rights, readonly string[]>> = {
  read: ['method^list', 'method^get', 'method=summary', 'method=decode', 'method=sql'],
  invoice: [
    'method=invoice',
    'method=waitinvoice',
    'method=waitanyinvoice',
    'method=offer',
    'method=newaddr',
  ],
  pay: ['method=pay', 'method=xpay', 'method=keysend', 'method=fetchinvoice'],
};
/** Where programs keep their secrets. */
const NEVER = ['method/listdatastore'];

export function runeRestrictions(rights: Rights): string[][] {
  return [upTo(rights, METHODS), NEVER];
}
