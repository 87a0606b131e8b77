/** What a wallet may do with a Lightning node, least first; each may do what those before it may. */
export const RIGHTS = ['read', 'invoice', 'pay'] as const;
export type Rights = (typeof RIGHTS)[number];

export const RIGHTS_MEANINGS: Readonly<Record<Rights, string>> = {
  read: 'see balances, channels, payments and invoices',
  invoice: 'also make invoices and addresses, to be paid',
  pay: 'also pay over Lightning',
};

/** What a device may do at a service besides reaching it; only where it is asked for. */
export const DEVICE_RIGHTS = ['lnd:unlock'] as const;
export type DeviceRight = (typeof DEVICE_RIGHTS)[number];

/** By what each right adds to the one before it. */
export function upTo<Item>(rights: Rights, added: Readonly<Record<Rights, readonly Item[]>>): Item[] {
  return RIGHTS.slice(0, RIGHTS.indexOf(rights) + 1).flatMap((right) => added[right]);
}
