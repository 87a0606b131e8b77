import type { Lab, LabNode } from '../../src/lab/index.ts';
import { isPublicUnicast } from '../../src/core/inet.ts';

/** What other tools say of the same home, in a few words each. `-`: it is not on this machine. */
export interface Rivals {
  /** miniupnpc: the address that the router tells. */
  readonly upnpc: string;
  /** natpmpc: the same by NAT-PMP. */
  readonly natpmpc: string;
  /** Routers with a private address on the way out: what people count by hand. */
  readonly traceroute: string;
  /** coturn's turnutils_natdiscovery: how all NATs together behave. */
  readonly natdiscovery: string;
}

const RELAY = '11.1.0.2';

/** `folder`: where programs lie that this machine does not have otherwise. */
export async function askRivals(
  lab: Lab,
  home: string,
  folder: string,
  signal: AbortSignal,
): Promise<Rivals> {
  const node = lab.node(home);
  const said = (...argv: [string, ...string[]]): Promise<string | undefined> =>
    saidBy(node, folder, argv, signal);
  const [upnpc, natpmpc, traceroute, natdiscovery] = await Promise.all([
    said('upnpc', '-s'),
    said('natpmpc'),
    said('traceroute', '-n', '-q', '1', '-w', '1', '-m', '8', RELAY),
    said('turnutils_natdiscovery', '-m', '-f', RELAY),
  ]);
  return {
    upnpc: upnpc === undefined ? '-' : toldBy(upnpc, /ExternalIPAddress = ([0-9.]+)/, /^Found /m),
    natpmpc:
      natpmpc === undefined ? '-' : toldBy(natpmpc, /Public IP address : ([0-9.]+)/, /network failure/i),
    traceroute: traceroute === undefined ? '-' : String(privateHops(traceroute)),
    natdiscovery: natdiscovery === undefined ? '-' : behaviourOf(natdiscovery),
  };
}

async function saidBy(
  node: LabNode,
  folder: string,
  [program, ...rest]: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<string | undefined> {
  const argv = ['env', `PATH=${folder}:/opt/gateway-tools/bin:/usr/bin:/bin`, program, ...rest] as const;
  const accept = Array.from({ length: 256 }, (_, code) => code);
  const { exitCode, stdout, stderr } = await node.run(argv, { signal, accept, timeoutMs: 30_000 });
  return exitCode === 127 ? undefined : stdout + stderr;
}

/** The address; or that there is a router, which has none; or that there is none. */
function toldBy(text: string, address: RegExp, router: RegExp): string {
  return address.exec(text)?.[1] ?? (router.test(text) ? 'no address' : 'no router');
}

function privateHops(text: string): number {
  const hops = [...text.matchAll(/^ *\d+ +([0-9.]+) /gm)].map((match) => match[1] ?? '');
  return hops.filter((hop) => !isPublicUnicast(hop)).length;
}

/** `NAT with Endpoint Independent Mapping!` and so on. */
function behaviourOf(text: string): string {
  const found = [
    ...text.matchAll(
      /with (?:(Endpoint Independent)|Address(?: and (Port))? Dependent) (Mapping|Filtering)/gi,
    ),
  ];
  const words = found.map(([, independent, port, what]) => {
    const rule =
      independent === undefined ? (port === undefined ? 'address' : 'address and port') : 'independent';
    return `${what?.toLowerCase()}: ${rule}`;
  });
  return words.length > 0 ? words.join(', ') : /no nat/i.test(text) ? 'no NAT' : 'nothing';
}
