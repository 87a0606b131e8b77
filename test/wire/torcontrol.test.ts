import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import {
  ControlDecoder,
  encodeDataCommand,
  keyValues,
  parseBootstrap,
  parseDescriptorEvent,
  parseWords,
  unquote,
} from '../../src/wire/torcontrol.ts';

const ADDRESS = '2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid';
const STREAM = [
  '250-version=0.4.9.11',
  '250+config-text=',
  'SocksPort 0',
  '..dotted',
  '.',
  '250 OK',
  `650 HS_DESC UPLOADED ${ADDRESS} UNKNOWN $AB12~relay`,
  '552 Unrecognized key "x"',
  '',
].join('\r\n');
const EXPECTED = {
  replies: [
    { status: 250, lines: ['version=0.4.9.11', 'config-text=\nSocksPort 0\n.dotted', 'OK'] },
    { status: 552, lines: ['Unrecognized key "x"'] },
  ],
  events: [{ status: 650, lines: [`HS_DESC UPLOADED ${ADDRESS} UNKNOWN $AB12~relay`] }],
};

function decode(chunks: readonly string[]) {
  const decoder = new ControlDecoder();
  const seen = chunks.map((chunk) => decoder.push(chunk));
  return { replies: seen.flatMap(({ replies }) => replies), events: seen.flatMap(({ events }) => events) };
}

it('reads replies, data blocks and events, wherever the stream is cut', () => {
  expect(decode([STREAM])).toEqual(EXPECTED);
  expect(decode(STREAM.split(''))).toEqual(EXPECTED);
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    expect(decode([STREAM.slice(0, cut), STREAM.slice(cut)])).toEqual(EXPECTED);
  }
});

it('throws nothing but GatewayError, whatever arrives', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('250 OK\r\n', '250+x=\r\n', '.\r\n', '650 HS_DESC', '\r\n', '250-', '"', '\\', '999 x\n'),
  );
  fc.assert(
    fc.property(fc.array(piece), (chunks) => {
      try {
        const { replies, events } = decode(chunks);
        for (const { lines } of [...replies, ...events]) {
          keyValues(lines);
          lines.forEach((line) => [
            parseWords(line),
            parseBootstrap(line),
            parseDescriptorEvent(line),
            unquote(line),
          ]);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

it('gives up on a line or a reply that never ends', () => {
  const endless = new ControlDecoder();
  expect(() => {
    for (let sent = 0; sent < 3; sent += 1) endless.push('250 '.padEnd(600_000, 'x'));
  }).toThrow(GatewayError);
  expect(() => decode(['250+x=\r\n' + 'y\r\n'.repeat(100_002)])).toThrow(GatewayError);
});

it('reads the bootstrap phase, also when tor says why it is stuck', () => {
  const stuck =
    'WARN BOOTSTRAP PROGRESS=45 TAG=x SUMMARY="Asking for \\"relay\\" descriptors" WARNING="No route to host" REASON=NOROUTE COUNT=3';
  expect(parseBootstrap(stuck)).toEqual({
    percent: 45,
    summary: 'Asking for "relay" descriptors',
    warning: 'No route to host',
  });
  expect(parseBootstrap('nonsense PROGRESS=4e9')).toEqual({ percent: 0, summary: '', warning: undefined });
});

it('reads descriptor events, and no other', () => {
  expect(parseDescriptorEvent(`HS_DESC FAILED ${ADDRESS} UNKNOWN $AB~r REASON=UPLOAD_REJECTED`)).toEqual({
    action: 'FAILED',
    address: ADDRESS,
    directory: '$AB~r',
    descriptor: undefined,
    reason: 'UPLOAD_REJECTED',
  });
  expect(parseDescriptorEvent(`HS_DESC UPLOAD ${ADDRESS} UNKNOWN $AB~r a/B+9 HSDIR_INDEX=0A`)).toMatchObject({
    action: 'UPLOAD',
    directory: '$AB~r',
    descriptor: 'a/B+9',
  });
  expect(parseDescriptorEvent('HS_DESC UPLOADED short UNKNOWN')).toBeUndefined();
  expect(parseDescriptorEvent('STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED')).toBeUndefined();
});

it('doubles the dot at the start of a data line, and reads it back', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[ -~]{0,20}$/)), (lines) => {
      const sent = encodeDataCommand('LOADCONF', lines.join('\n'));
      const { replies } = decode([sent.replace('+LOADCONF', '250+x='), '250 OK\r\n']);
      expect(replies[0]?.lines[0]).toBe(['x=', ...(lines.length === 0 ? [''] : lines)].join('\n'));
    }),
  );
});
