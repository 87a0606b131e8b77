import { expect, it } from 'vitest';
import { parseEchoReply, parseExceeded, parseRecordedRoute } from '../../src/wire/ping.ts';

/** As iputils prints them, with `-n` and the locale C. */
const EXCEEDED = `PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.
From 192.168.1.1 icmp_seq=1 Time to live exceeded

--- 192.0.2.1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms
`;
const RECORDED = `PING 192.168.1.1 (192.168.1.1) 56(124) bytes of data.
64 bytes from 192.168.1.1: icmp_seq=1 ttl=63 time=0.071 ms
RR: \t192.168.50.10
\t192.168.1.50
\t192.168.1.1
\t192.168.50.1
\t192.168.50.10


--- 192.168.1.1 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
`;

it('reads at which router a packet ended', () => {
  expect(parseExceeded(EXCEEDED)).toBe('192.168.1.1');
  expect(parseExceeded(EXCEEDED.replace('192.168.1.1', '192.168.1.999'))).toBeUndefined();
  expect(
    parseExceeded(EXCEEDED.replace('Time to live exceeded', 'Destination Net Unreachable')),
  ).toBeUndefined();
  expect(parseExceeded('')).toBeUndefined();
});

it('reads by which addresses it left each machine, as far as they wrote them', () => {
  expect(parseRecordedRoute(RECORDED).slice(0, 3)).toEqual(['192.168.50.10', '192.168.1.50', '192.168.1.1']);
  expect(parseRecordedRoute(RECORDED.replace('\t192.168.1.50', '\t\u001b[2J'))).toEqual(['192.168.50.10']);
  expect(parseRecordedRoute(RECORDED.replaceAll(/^RR.*$/gm, ''))).toEqual([]);
});

it('reads who answered', () => {
  expect(parseEchoReply(RECORDED)).toBe('192.168.1.1');
  expect(parseEchoReply(RECORDED.replaceAll('192.168.1.1', '192.168.1.999'))).toBeUndefined();
  expect(parseEchoReply(EXCEEDED)).toBeUndefined();
});
