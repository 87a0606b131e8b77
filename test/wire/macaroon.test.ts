import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAdmin, parseMacaroon } from '../../src/wire/macaroon.ts';
import { ADMIN_MACAROON, makeMacaroon } from '../support/macaroons.ts';

describe('a macaroon of LND', () => {
  it('says what it allows and which root key signed it', () => {
    const admin = parseMacaroon(ADMIN_MACAROON);
    expect(admin).toMatchObject({ location: 'lnd', rootKeyId: '0', caveats: [] });
    expect(admin?.permissions).toHaveLength(19);
    expect(admin?.permissions).toContainEqual({ entity: 'macaroon', action: 'generate' });
  });

  it('is read with its conditions', () => {
    const bytes = makeMacaroon({
      rootKeyId: '1001',
      permissions: { info: ['read'], invoices: ['read', 'write'] },
      caveats: ['time-before 2027-01-01T00:00:00Z', 'ipaddr 10.64.8.2'],
    });
    expect(parseMacaroon(bytes)).toEqual({
      location: 'lnd',
      rootKeyId: '1001',
      permissions: [
        { entity: 'info', action: 'read' },
        { entity: 'invoices', action: 'read' },
        { entity: 'invoices', action: 'write' },
      ],
      caveats: ['time-before 2027-01-01T00:00:00Z', 'ipaddr 10.64.8.2'],
    });
  });

  it.each([
    [{ info: ['read'], offchain: ['read', 'write'] }, false],
    [{ macaroon: ['read'] }, false],
    [{ info: ['read'], macaroon: ['generate'] }, true],
    [{ macaroon: ['write'] }, true],
    [{ uri: ['/lnrpc.Lightning/BakeMacaroon'] }, true],
    [{ uri: ['/lnrpc.Lightning/GetInfo'] }, false],
  ])('that allows %j is an admin: %s', (permissions, expected) => {
    const macaroon = parseMacaroon(makeMacaroon({ permissions }));
    expect(macaroon !== undefined && isAdmin(macaroon)).toBe(expected);
  });

  it('is not one when a byte is missing or too many', () => {
    for (let length = 0; length < ADMIN_MACAROON.length; length += 1) {
      expect(parseMacaroon(ADMIN_MACAROON.subarray(0, length))).toBeUndefined();
    }
    expect(parseMacaroon(Buffer.concat([ADMIN_MACAROON, Buffer.from([0])]))).toBeUndefined();
  });

  it('never makes it throw, whatever a byte becomes', () => {
    const change = fc.tuple(fc.nat(ADMIN_MACAROON.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.uint8Array({ maxLength: 400 }), (changes, any) => {
        const bytes = Buffer.from(ADMIN_MACAROON);
        for (const [at, value] of changes) bytes[at] = value;
        expect(() => parseMacaroon(bytes)).not.toThrow();
        expect(() => parseMacaroon(any)).not.toThrow();
      }),
    );
  });
});
