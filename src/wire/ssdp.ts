/**
 * SSDP, the discovery of UPnP (UPnP Device Architecture 1.1, section 1): what we ask, and what routers answer or announce.
 * Pure: text in, values out.
 */
export const SSDP_PORT = 1900;
export const SSDP_GROUP = '239.255.255.250';
/** Link-local; the site-local ff05::c reaches other people's boxes in an office. */
export const SSDP_GROUP_V6 = 'ff02::c';

const DEVICE = 'urn:schemas-upnp-org:device:InternetGatewayDevice';
const SERVICE = 'urn:schemas-upnp-org:service:WAN';

/**
 * What to ask for, round by round. Not `ssdp:all` alone: a Sagemcom answers that with everything but its gateway
 * (tailscale #3557), and some answer for the service, not for the device. The commonest stands in each round: packets get
 * lost.
 */
export const SEARCH_ROUNDS: readonly (readonly string[])[] = [
  [`${DEVICE}:1`, `${DEVICE}:2`],
  [`${DEVICE}:1`, `${SERVICE}IPConnection:1`, `${SERVICE}PPPConnection:1`],
  [`${DEVICE}:1`, `${SERVICE}IPConnection:2`],
];

/** For a router that answered nothing so far: it may have been switched on since. */
export const BRIEF_ROUNDS: readonly (readonly string[])[] = [[`${DEVICE}:1`], [`${DEVICE}:1`]];

export interface SsdpMessage {
  /** `answer` to a search; the others are announcements (NOTIFY). */
  readonly kind: 'answer' | 'alive' | 'byebye' | 'update';
  /** URL of the description; empty in a `byebye`. */
  readonly location: string;
  /** ST of an answer, NT of an announcement. */
  readonly target: string;
  /** `uuid:…::urn:…` */
  readonly usn: string;
  readonly server: string;
  /** BOOTID.UPNP.ORG: grows with each start of the device. An `update` says the next one. */
  readonly bootId: number | undefined;
  /** CONFIGID.UPNP.ORG: changes with the description. */
  readonly configId: number | undefined;
}

/**
 * A question. `host` is the group also when it is sent to one address: miniupnpd and older stacks compare it. MX bounds
 * how long a router may wait before it answers, in seconds.
 */
export function encodeSearch(target: string, maxWaitSeconds: number, host: string = SSDP_GROUP): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return [
    'M-SEARCH * HTTP/1.1',
    `HOST: ${name}:${SSDP_PORT}`,
    'MAN: "ssdp:discover"',
    `MX: ${maxWaitSeconds}`,
    `ST: ${target}`,
    '',
    '',
  ].join('\r\n');
}

const MAX_CHARACTERS = 4096;
const MAX_HEADER = 1024;
const KINDS: Readonly<Record<string, SsdpMessage['kind']>> = {
  'ssdp:alive': 'alive',
  'ssdp:byebye': 'byebye',
  'ssdp:update': 'update',
};

/** Never throws: `undefined` for what is neither an answer nor an announcement. */
export function parseSsdp(text: string): SsdpMessage | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const [start = '', ...lines] = text.split(/\r\n?|\n/);
  const headers = headersOf(lines);
  const isAnswer = /^HTTP\/1\.[01] +200( |$)/i.test(start);
  const isAnnouncement = /^NOTIFY \* HTTP\/1\.[01]$/i.test(start.trim());
  const kind = isAnswer ? 'answer' : KINDS[headers.get('nts')?.toLowerCase() ?? ''];
  if (kind === undefined || !(isAnswer || isAnnouncement)) return undefined;
  const value = (name: string): string => headers.get(name) ?? '';
  return {
    kind,
    location: value('location'),
    target: isAnswer ? value('st') : value('nt'),
    usn: value('usn'),
    server: value('server'),
    bootId: count(value(kind === 'update' ? 'nextbootid.upnp.org' : 'bootid.upnp.org')),
    configId: count(value('configid.upnp.org')),
  };
}

/** Up to the empty line; names in lower case, the first of each name. */
function headersOf(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    if (line.trim() === '') break;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (name !== '' && !headers.has(name))
      headers.set(
        name,
        line
          .slice(colon + 1)
          .trim()
          .slice(0, MAX_HEADER),
      );
  }
  return headers;
}

/** UDA 1.1, 1.2.2: 31 bits; more is taken from routers that put seconds since 1970 in, as miniupnpd does. */
function count(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Is this one of the gateway's own names, and not that of its media server? */
export function isGatewayTarget(target: string): boolean {
  return /:(InternetGatewayDevice|WANDevice|WANConnectionDevice|WANIPConnection|WANPPPConnection|WANIPv6FirewallControl):\d+$/.test(
    target,
  );
}

/** The router as a whole. */
export function isGatewayDevice(target: string): boolean {
  return /:InternetGatewayDevice:\d+$/.test(target);
}
