import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../../src/core/inet.ts';
import { parseIpv6 } from '../../src/core/inet6.ts';
import { parseNatPmpAnswer } from '../../src/wire/nat-pmp.ts';
import { encodeMap, parsePcpAnswer } from '../../src/wire/pcp.ts';

/** What routers send is foreign: 10,000 mutations each of a good answer. */
const RUNS = Number(process.env['GATEWAY_FUZZ_RUNS'] ?? 10_000);

function answerFrom(request: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(request.subarray(0, length));
  bytes[1] = (bytes[1] ?? 0) | 128;
  bytes[3] = 0;
  return bytes;
}

const pcp = answerFrom(
  encodeMap({
    transport: 'udp',
    internalAddress: '192.168.1.2',
    internalPort: 51_820,
    externalPort: 51_820,
    lifetimeSeconds: 3600,
    nonce: '0102030405060708090a0b0c',
  }),
  60,
);
// Version, opcode, result, epoch, internal port, external port, lifetime (RFC 6886 3.3).
const natPmp = Uint8Array.of(0, 130, 0, 0, 0, 0, 0, 77, 1, 187, 1, 187, 0, 0, 14, 16);

/** Some bytes changed, then cut or continued; or anything at all. */
function mutations(seed: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(seed.length - 1), fc.nat(255));
  const changed = fc
    .tuple(fc.array(change, { maxLength: 6 }), fc.nat(seed.length), fc.uint8Array({ maxLength: 80 }))
    .map(([changes, cut, more]) => {
      const bytes = new Uint8Array(seed);
      for (const [at, value] of changes) bytes[at] = value;
      return cut % 3 === 0
        ? new Uint8Array([...bytes, ...more])
        : bytes.subarray(0, seed.length - (cut >> 1));
    });
  return fc.oneof(changed, fc.uint8Array({ maxLength: 1200 }));
}

const isPort = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 65_535;
const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 2 ** 32;

describe('whatever a router sends', () => {
  it('PCP reads it or leaves it, and every value is in its range', () => {
    fc.assert(
      fc.property(mutations(pcp), (bytes) => {
        const found = parsePcpAnswer(bytes);
        if (found === undefined || found.type === 'version') return;
        expect(isCount(found.epochSeconds) && isCount(found.lifetimeSeconds)).toBe(true);
        if (found.type !== 'map') return;
        expect(found.nonce).toMatch(/^[0-9a-f]{24}$/);
        expect(isPort(found.internalPort) && isPort(found.externalPort)).toBe(true);
        if (found.externalAddress === undefined) return;
        expect(parseIpv4(found.externalAddress) ?? parseIpv6(found.externalAddress)).toBeDefined();
      }),
      { numRuns: RUNS },
    );
  });

  it('NAT-PMP reads it or leaves it, and every value is in its range', () => {
    fc.assert(
      fc.property(mutations(natPmp), (bytes) => {
        const found = parseNatPmpAnswer(bytes);
        if (found === undefined || found.type === 'version') return;
        expect(isCount(found.epochSeconds)).toBe(true);
        if (found.type === 'address') expect(parseIpv4(found.address)).toBeDefined();
        else expect(isPort(found.internalPort) && isPort(found.externalPort)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  it('a good answer is read as it was meant', () => {
    expect(parsePcpAnswer(pcp)).toMatchObject({ type: 'map', transport: 'udp', internalPort: 51_820 });
    expect(parseNatPmpAnswer(natPmp)).toMatchObject({ type: 'mapping', transport: 'tcp', internalPort: 443 });
  });
});
