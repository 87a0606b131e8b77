import { expect, it } from 'vitest';
import { parseCircuit, parseStreamEvent } from '../../src/wire/tor-stream.ts';

/** As tor 0.4.9 writes them. */
it('reads a stream that an exit refused', () => {
  const line =
    'STREAM 21 FAILED 29 11.2.0.2:8440 REASON=END REMOTE_REASON=MISC SOCKS_USERNAME="3a26" SOCKS_PASSWORD="x"';
  expect(parseStreamEvent(line)).toEqual({
    stream: '21',
    status: 'FAILED',
    circuit: '29',
    reason: 'END',
    told: 'MISC',
  });
  expect(parseStreamEvent('HS_DESC UPLOADED x')).toBeUndefined();
  expect(parseStreamEvent('STREAM 21')).toBeUndefined();
});

it('reads by which exit a circuit leaves, and for whom', () => {
  const path = `$${'A'.repeat(40)}~relay0,$${'B'.repeat(40)}~relay1,$${'C'.repeat(40)}~exit2`;
  const more = 'BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL SOCKS_USERNAME="3a26" SOCKS_PASSWORD="x"';
  expect(parseCircuit(`30 BUILT ${path} ${more}`)).toEqual({ id: '30', user: '3a26', exit: 'C'.repeat(40) });
  expect(parseCircuit(`31 EXTENDED ${path}`)).toBeUndefined();
  expect(parseCircuit('32 BUILT')).toBeUndefined();
});
