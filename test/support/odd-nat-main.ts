/**
 * A NAT in user space that behaves as real boxes may, and Linux does not. Reads packets from a TUN device on its stdin, and
 * writes them back translated. The kernel around it ends packets whose time to live is over, so that those refresh nothing.
 * Argument: `OddNat`, as JSON.
 */
import { read, writeSync } from 'node:fs';
import { formatIpv4, parseIpv4 } from '../../src/core/inet.ts';

export interface OddNat {
  /** Address that it translates to. */
  readonly outside: string;
  /** Seconds without a packet after which a flow is forgotten: one that was never answered, and one that was. */
  readonly unanswered: number;
  readonly answered: number;
  /** A packet from outside refreshes a flow. */
  readonly countsIncoming: boolean;
  /** Seconds after which a flow is forgotten although it is used: some boxes offload flows and lose sight of them. */
  readonly atMost: number;
  /** Which port a flow gets outside: its own, or another each time. */
  readonly ports: 'kept' | 'moved';
}

interface Flow {
  readonly protocol: number;
  readonly inside: number;
  readonly port: number;
  readonly remote: string;
  readonly outsidePort: number;
  readonly since: number;
  last: number;
  isAnswered: boolean;
}

const odd = JSON.parse(process.argv[2] ?? '') as OddNat;
const outside = parseIpv4(odd.outside) ?? 0;
const [ICMP, TCP, UDP] = [1, 6, 17];
const flows = new Set<Flow>();
let nextPort = 30_000;

function isAlive(flow: Flow, now: number): boolean {
  const idle = (flow.isAnswered ? odd.answered : odd.unanswered) * 1000;
  return now - flow.last < idle && now - flow.since < odd.atMost * 1000;
}

function find(isIt: (flow: Flow) => boolean): Flow | undefined {
  const now = Date.now();
  for (const flow of flows) {
    if (!isAlive(flow, now)) flows.delete(flow);
    else if (isIt(flow)) return flow;
  }
  return undefined;
}

/** Where the port, or the echo's identifier, of either end stands behind the header. */
function offsetOf(protocol: number, isSource: boolean): number {
  return protocol === ICMP ? 4 : isSource ? 0 : 2;
}

function handle(packet: Buffer): Buffer | undefined {
  if (packet.length < 28 || packet.readUInt8(0) >> 4 !== 4) return undefined;
  const protocol = packet.readUInt8(9);
  const head = (packet.readUInt8(0) & 15) * 4;
  if (![ICMP, TCP, UDP].includes(protocol)) return undefined;
  const isFromOutside = packet.readUInt32BE(16) === outside;
  // The kernel counts its two ways through the device as two hops.
  packet.writeUInt8(packet.readUInt8(8) + 1, 8);
  const isError = protocol === ICMP && [3, 11].includes(packet.readUInt8(head));
  const isDone = isFromOutside
    ? isError
      ? error(packet, head)
      : inward(packet, head)
    : outward(packet, head);
  if (!isDone) return undefined;
  sumUp(packet, head);
  return packet;
}

function outward(packet: Buffer, head: number): boolean {
  const protocol = packet.readUInt8(9);
  const at = head + offsetOf(protocol, true);
  const inside = packet.readUInt32BE(12);
  const port = packet.readUInt16BE(at);
  const remote = remoteOf(packet, head, false);
  const now = Date.now();
  let flow = find(
    (one) => one.protocol === protocol && one.inside === inside && one.port === port && one.remote === remote,
  );
  if (flow === undefined) {
    nextPort += 1;
    const outsidePort = odd.ports === 'kept' ? port : nextPort;
    flow = { protocol, inside, port, remote, outsidePort, since: now, last: now, isAnswered: false };
    flows.add(flow);
  }
  flow.last = now;
  packet.writeUInt32BE(outside, 12);
  packet.writeUInt16BE(flow.outsidePort, at);
  return true;
}

function inward(packet: Buffer, head: number): boolean {
  const protocol = packet.readUInt8(9);
  const at = head + offsetOf(protocol, false);
  const port = packet.readUInt16BE(at);
  const remote = remoteOf(packet, head, true);
  const flow = find((one) => one.protocol === protocol && one.outsidePort === port && one.remote === remote);
  if (flow === undefined) return false;
  flow.isAnswered = true;
  if (odd.countsIncoming) flow.last = Date.now();
  packet.writeUInt32BE(flow.inside, 16);
  packet.writeUInt16BE(flow.port, at);
  return true;
}

/** What a router farther out says of a packet of ours, which it quotes. */
function error(packet: Buffer, head: number): boolean {
  const quoted = head + 8;
  if (packet.length < quoted + 28) return false;
  const protocol = packet.readUInt8(quoted + 9);
  const at = quoted + (packet.readUInt8(quoted) & 15) * 4 + offsetOf(protocol, true);
  const flow = find((one) => one.protocol === protocol && one.outsidePort === packet.readUInt16BE(at));
  if (flow === undefined) return false;
  packet.writeUInt32BE(flow.inside, 16);
  packet.writeUInt32BE(flow.inside, quoted + 12);
  packet.writeUInt16BE(flow.port, at);
  return true;
}

/** The far end, as the flow's key. An echo's has no port. */
function remoteOf(packet: Buffer, head: number, isSource: boolean): string {
  const address = formatIpv4(packet.readUInt32BE(isSource ? 12 : 16));
  const protocol = packet.readUInt8(9);
  return protocol === ICMP ? address : `${address}:${packet.readUInt16BE(head + (isSource ? 0 : 2))}`;
}

function sumUp(packet: Buffer, head: number): void {
  const protocol = packet.readUInt8(9);
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(sumOf(packet.subarray(0, head), 0), 10);
  const body = packet.subarray(head, packet.readUInt16BE(2));
  const at = protocol === ICMP ? 2 : protocol === TCP ? 16 : 6;
  body.writeUInt16BE(0, at);
  const pseudo =
    protocol === ICMP
      ? 0
      : packet.readUInt16BE(12) +
        packet.readUInt16BE(14) +
        packet.readUInt16BE(16) +
        packet.readUInt16BE(18) +
        protocol +
        body.length;
  body.writeUInt16BE(sumOf(body, pseudo) || 0xffff, at);
}

function sumOf(bytes: Buffer, start: number): number {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

const buffer = Buffer.alloc(65_536);
function next(): void {
  read(0, buffer, 0, buffer.length, null, (failure, length) => {
    if (failure !== null) throw failure;
    const out = handle(Buffer.from(buffer.subarray(0, length)));
    if (out !== undefined) writeSync(0, out);
    next();
  });
}
next();
