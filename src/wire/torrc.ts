/** The owner's own lines for the torrc (`torrc.d/*.conf` beside gateway.yaml). Pure. */

/**
 * Options that the gateway writes itself, or that would take tor out of its hands. Lower case. tor accepts any
 * beginning of an option's name, and `+Name` and `/Name`: so does the check.
 */
const RESERVED = [
  'alternatebridgeauthority',
  'authoritativedirectory',
  'automaphostsonresolve',
  'bridgerelay',
  'clientonly',
  'contactinfo',
  'controlport',
  'controlportfilegroupreadable',
  'controlportwritetofile',
  'controlsocket',
  'controlsocketsgroupwritable',
  'cookieauthentication',
  'cookieauthfile',
  'cookieauthfilegroupreadable',
  'datadirectory',
  'datadirectorygroupreadable',
  'dirport',
  'exitrelay',
  'extorport',
  'hashedcontrolpassword',
  'hiddenservice',
  'keydirectory',
  'metricsport',
  'orport',
  'outboundbindaddress',
  'pidfile',
  'publishhidservdescriptors',
  'runasdaemon',
  'sandbox',
  'socksport',
  'transport',
  'user',
  'virtualaddrnetwork',
] as const;

/** Options of the owner's whose whole name begins a reserved one. */
const FREE: ReadonlySet<string> = new Set(['bridge']);

/** Lines that count: without comments and empty ones, ends trimmed. */
export function torrcLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Why a line must not stand in the torrc, or `undefined`. What tor makes of the rest, tor itself says. */
export function torrcLineProblem(line: string): string | undefined {
  if (!/^[\x20-\x7e]*$/.test(line)) return 'only printable ASCII characters are possible';
  if (line.endsWith('\\')) return 'a line cannot continue on the next';
  const [, keyword = ''] = /^[+/]?([A-Za-z_][A-Za-z0-9_]*)(?:\s|$)/.exec(line) ?? [];
  if (keyword === '') return 'it does not begin with the name of an option';
  const name = keyword.toLowerCase();
  if (name.startsWith('__')) return `${keyword} is an option of tor's own`;
  if (FREE.has(name)) return undefined;
  return isReserved(name) ? `the gateway sets ${keyword} itself` : undefined;
}

function isReserved(name: string): boolean {
  if (name.startsWith('hiddenservice') || name.startsWith('outboundbindaddress')) return true;
  if (name.startsWith('virtualaddrnetwork')) return true;
  return RESERVED.some((reserved) => reserved.startsWith(name));
}
