import { parseIpv6 } from '../../src/core/inet6.ts';

/**
 * What a hostile neighbour sends (ICMPv6, RFC 4443 and 4861), as hex; the kernel fills in the checksum. Sent with a hop limit of 255, from
 * an address of the link, as receivers demand.
 */
const LINK_LOCAL = 'fe80::bad';

const hex = (address: string): string => (parseIpv6(address) ?? 0n).toString(16).padStart(32, '0');

/** "I am your router, and make yourself an address in this prefix." */
export function routerAdvertisement(prefix: string): string {
  return `8600000040000708${'0'.repeat(16)}030440c00001518000015180${'0'.repeat(8)}${hex(prefix)}`;
}

/** "Whatever is for this address goes to me." */
export function neighbourAdvertisement(address: string, mac: string): string {
  return `8800000020000000${hex(address)}0201${mac.replaceAll(':', '')}`;
}

/** "There is a shorter way to it, over me." */
export function redirect(destination: string): string {
  return `8900000000000000${hex(LINK_LOCAL)}${hex(destination)}`;
}

/** "What you sent to there on this connection (TCP) was too big": conntrack lets it pass with the connection. */
export function packetTooBig(source: string, sourcePort: number, to: string, port: number): string {
  const [here, there] = [sourcePort, port].map((each) => each.toString(16).padStart(4, '0'));
  const tcp = `${here}${there}${'0'.repeat(16)}5010${'0'.repeat(12)}`;
  return `02000000000005006000000000140640${hex(source)}${hex(to)}${tcp}`;
}

/** Of the base system; node has no raw sockets. 25: SO_BINDTODEVICE; 16 and 18: hop limits. */
const SEND = `
use Socket qw(:DEFAULT inet_pton);
my ($link, $index, $from, $to, @messages) = @ARGV;
socket(my $socket, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
setsockopt($socket, SOL_SOCKET, 25, $link) or die "device: $!";
setsockopt($socket, 41, $_, pack('i', 255)) or die "hops: $!" for (16, 18);
bind($socket, pack_sockaddr_in6(0, inet_pton(AF_INET6, $from), $index)) or die "bind: $!";
for my $message (@messages) {
  my $where = pack_sockaddr_in6(0, inet_pton(AF_INET6, $to), $index);
  defined(send($socket, pack('H*', $message), 0, $where)) or die "send: $!";
}
print 'sent';
`;

export interface Ways {
  readonly link: string;
  /** Added to the link when it is not there. */
  readonly from: string;
  readonly to: string;
}
/** As routers and neighbours speak, to everybody on the link. */
export const onLink = (link: string): Ways => ({ link, from: LINK_LOCAL, to: 'ff02::1' });

/** `within` runs as root in the namespace. */
export async function sendIcmpv6(
  within: (...argv: [string, ...string[]]) => Promise<string>,
  { link, from, to }: Ways,
  messages: readonly string[],
): Promise<string> {
  await within('ip', 'addr', 'replace', `${from}/128`, 'dev', link, 'nodad');
  const index = /^\d+/.exec(await within('ip', '-o', 'link', 'show', 'dev', link))?.[0] ?? '';
  return within('perl', '-e', SEND, link, index, from, to, ...messages);
}
