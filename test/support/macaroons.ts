/** admin.macaroon of LND's documentation, byte for byte. */
export const ADMIN_MACAROON = Buffer.from(
  '0201036c6e6402f801030a10b3bf6906c1937139ac0684ac4417139d1201301a160a0761646472657373120472656164120577726974651a13' +
    '0a04696e666f120472656164120577726974651a170a08696e766f69636573120472656164120577726974651a210a086d616361726f6f6e' +
    '120867656e6572617465120472656164120577726974651a160a076d657373616765120472656164120577726974651a170a086f6666636861' +
    '696e120472656164120577726974651a160a076f6e636861696e120472656164120577726974651a140a057065657273120472656164120577' +
    '726974651a180a067369676e6572120867656e657261746512047265616400000620a3f810170ad9340a63074b6dded31ed83a7140fd26c775' +
    '8856111583b7725b2b',
  'hex',
);

export interface MacaroonDraft {
  readonly rootKeyId?: string;
  readonly permissions: Readonly<Record<string, readonly string[]>>;
  readonly caveats?: readonly string[];
}

/** Written from the format's description, not from our parser; the signature is of nobody. */
export function makeMacaroon({ rootKeyId = '0', permissions, caveats = [] }: MacaroonDraft): Buffer {
  const identifier = identifierOf(rootKeyId, permissions);
  const end = Buffer.from([0]);
  return Buffer.concat([
    Buffer.from([2]),
    counted(1, 'lnd'),
    counted(2, identifier),
    end,
    ...caveats.flatMap((caveat) => [counted(2, caveat), end]),
    end,
    counted(6, Buffer.alloc(32, 9)),
  ]);
}

/** The bakery's version 3, as LND fills it in. */
export function identifierOf(rootKeyId: string, permissions: MacaroonDraft['permissions']): Buffer {
  const operations = Object.entries(permissions).map(([entity, actions]) =>
    counted(0x1a, Buffer.concat([counted(0x0a, entity), ...actions.map((action) => counted(0x12, action))])),
  );
  const nonce = counted(0x0a, Buffer.alloc(16, 7));
  return Buffer.concat([Buffer.from([3]), nonce, counted(0x12, rootKeyId), ...operations]);
}

export function counted(tag: number, data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}
