import { join } from 'node:path';
import { NODE_INSIDE, type LabNode } from '../../src/lab/index.ts';
import { waitFor } from '../../src/lab/waiting.ts';
import type { OddNat } from './odd-nat-main.ts';

export interface OddPlace extends Partial<OddNat> {
  readonly outside: string;
  /** Its networks and its own address in the one inside. */
  readonly insideNetwork: string;
  readonly outsideNetwork: string;
  readonly inside: string;
  /** Says nothing of packets whose time to live is over. */
  readonly isSilent?: boolean;
}

/** Opens a TUN device, which takes an ioctl, and hands it to the program after it as its stdin. */
const OPEN_TUN = `use Fcntl; sysopen(T, '/dev/net/tun', O_RDWR) or die "tun: $!";
my $request = pack('a16 S x22', 'odd0', 0x1001); ioctl(T, 0x400454ca, $request) or die "tun: $!";
open(STDIN, '+<&', \\*T) or die $!; exec @ARGV;`;

/** Replaces the kernel's part on a router of a lab: all that passes goes through the program, and out again. */
export async function startOddNat(node: LabNode, place: OddPlace, signal: AbortSignal): Promise<void> {
  const { insideNetwork, outsideNetwork, inside, outside, isSilent = false, ...more } = place;
  const odd: OddNat = {
    outside,
    unanswered: 30,
    answered: 120,
    countsIncoming: true,
    atMost: 86_400,
    ports: 'kept',
    ...more,
  };
  const program = '/opt/gateway/test/support/odd-nat-main.ts';
  const logFile = join(node.directory, 'odd-nat.log');
  await node.detach(['perl', '-e', OPEN_TUN, NODE_INSIDE, program, JSON.stringify(odd)], { logFile });
  const isThere = async (): Promise<true | undefined> =>
    (await node.run(['ip', '-br', 'link'], { signal })).stdout.includes('odd0') || undefined;
  await waitFor(isThere, { signal, timeoutMs: 10_000, what: 'the odd NAT has its device' });
  const rules = [
    'link set dev odd0 up',
    'route add default dev odd0 table 100',
    'rule add pref 10 iif ' + insideNetwork + ' to ' + inside + ' lookup local',
    'rule add pref 11 iif ' + insideNetwork + ' to ' + outside + ' lookup local',
    'rule add pref 20 iif ' + insideNetwork + ' lookup 100',
    'rule add pref 21 iif ' + outsideNetwork + ' lookup 100',
    'rule add pref 30 lookup local',
    'rule del pref 0',
  ];
  await node.run(['ip', '-batch', '-'], { signal, input: `${rules.join('\n')}\n` });
  if (!isSilent) return;
  const silence =
    'add table ip silent\nadd chain ip silent out { type filter hook output priority 0; }\nadd rule ip silent out icmp type time-exceeded drop\n';
  await node.run(['nft', '-f', '-'], { signal, input: silence });
}
