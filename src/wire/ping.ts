import { parseIpv4 } from '../core/inet.ts';

/** What ping (iputils, `-n`, locale C) prints. Pure. */

/** The router at which a packet's time to live was over: `From 192.168.1.1 icmp_seq=1 Time to live exceeded`. */
export function parseExceeded(text: string): string | undefined {
  const found = /^From ([0-9.]{7,15}) icmp_seq=\d+ Time to live exceeded/m.exec(text)?.[1];
  return found !== undefined && parseIpv4(found) !== undefined ? found : undefined;
}

/**
 * Addresses by which the packet left each machine, ours first (`-R`, RFC 791 3.1): on the way there, then on the way back.
 * Routers may drop such packets, or not write; then there is none, or one is missing.
 */
export function parseRecordedRoute(text: string): readonly string[] {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith('RR:'));
  if (first === -1) return [];
  const recorded: string[] = [];
  for (const line of [lines[first]?.slice(3) ?? '', ...lines.slice(first + 1)]) {
    const address = line.trim();
    if (parseIpv4(address) === undefined) break;
    recorded.push(address);
  }
  return recorded;
}

/** Who answered: `64 bytes from 11.2.0.2: icmp_seq=1 ttl=64 time=0.1 ms`. */
export function parseEchoReply(text: string): string | undefined {
  const found = /^\d+ bytes from ([0-9.]{7,15}): icmp_seq=/m.exec(text)?.[1];
  return found !== undefined && parseIpv4(found) !== undefined ? found : undefined;
}
