import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { parseIpv4 } from '../core/inet.ts';
import { parseIpv6 } from '../core/inet6.ts';
import { MAPPING_PROTOCOLS } from '../core/mapping.ts';

/**
 * An internet as data: nodes, and the networks that join them. Documented for people in docs/lab.md.
 * The interface of a node is named like the network that it is in; interface names end at 15 characters.
 */
const NodeName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,14}$/, 'a name is 2 to 15 characters of a-z, 0-9 and -, starting with a letter');
const NetworkName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{2,12}$/, 'a name is 3 to 13 characters of a-z, 0-9 and -, starting with a letter');
const Ipv4 = z.ipv4('must be an IPv4 address');
const Ip = z.union([z.ipv4(), z.ipv6()], 'must be an address');
const Cidr = z.union(
  [z.cidrv4(), z.cidrv6()],
  'must be an address with its prefix length, such as 192.168.50.1/24 or 2b00:1::1/64',
);
const PortNumber = z.int().min(1).max(65_535);

/** How a router treats the ports of its NAT, in the words of RFC 4787. */
export const NAT_BEHAVIOURS = [
  'endpoint-independent',
  'symmetric',
  'full-cone',
  'address-restricted',
  'port-block',
  'symmetric-port-block',
] as const;
export type NatBehaviour = (typeof NAT_BEHAVIOURS)[number];

const Nat = z.strictObject({
  /** Network on which the world is. */
  outside: NetworkName,
  behaviour: z.enum(NAT_BEHAVIOURS).default('endpoint-independent'),
  /** Everything that arrives unasked goes to this host ("exposed host"). */
  dmz: Ipv4.optional(),
  /** Translates to this address, which is on no interface: a carrier's. Routers outside need a route for it. */
  pool: Ipv4.optional(),
});
export type Nat = z.infer<typeof Nat>;

const Forward = z.strictObject({
  protocol: z.enum(['tcp', 'udp']),
  port: PortNumber,
  to: z.string().regex(/^\d+\.\d+\.\d+\.\d+:\d+$/, 'must be address:port, such as 192.168.50.10:51820'),
});
export type Forward = z.infer<typeof Forward>;

const Service = z.discriminatedUnion('type', [
  /** Authoritative name server of one zone; every node asks it unless it says otherwise. */
  z.strictObject({
    type: z.literal('dns'),
    zone: z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'must be a domain name such as lab.test'),
    names: z.record(z.string().regex(/^(\*|[a-z0-9-]+)(\.[a-z0-9-]+)*$/), Ipv4).default({}),
    /** Secret, in base64, of the TSIG key `updates` (hmac-sha256), with which the zone may be changed (RFC 2136). */
    updates: z.base64().optional(),
  }),
  /** A private Tor network: one relay for each address of the node, the last `exits` of them exits. */
  z.strictObject({ type: z.literal('tor'), exits: z.int().min(1).default(1) }),
  /** A web page that says who asked. */
  z.strictObject({
    type: z.literal('page'),
    port: PortNumber.default(80),
    title: z.string().max(80).default('a page'),
  }),
  /** Lets the hosts of network `inside` open ports by themselves, as a home router does: miniupnpd. */
  z.strictObject({
    type: z.literal('port-mapping'),
    inside: NetworkName,
    protocols: z
      .array(z.enum(MAPPING_PROTOCOLS))
      .min(1)
      .default([...MAPPING_PROTOCOLS]),
    /** What it tells as its address outside, as one that asked a STUN server; with a private one it opens nothing. */
    tells: z.ipv4().exactOptional(),
    /** Seconds that it grants at most. */
    longestLease: z.int().min(10).max(86_400).default(86_400),
  }),
  /** A certificate authority: Pebble, at port 14000. */
  z.strictObject({
    type: z.literal('acme'),
    /** `later`: of a later release of Debian, which knows renewal windows (ARI), profiles and DNS-PERSIST-01. */
    release: z.enum(['stable', 'later']).default('stable'),
    /** Share of requests, in percent, that are refused for their nonce. */
    badNonces: z.int().min(0).max(100).default(0),
    /** Looks at the answer to a challenge only after a while, as real ones do. */
    isSlow: z.boolean().default(false),
    /** Demands external account binding. */
    eab: z.boolean().default(false),
    /** Seconds that a certificate lasts, by the name of its profile. */
    profiles: z.record(z.string(), z.int().min(1)).default({}),
    /** Names for which it gives none. */
    blocked: z.array(z.string()).default([]),
  }),
]);
export type NodeService = z.infer<typeof Service>;

const Route = z.strictObject({ to: Cidr, via: Ip });

const NodeSpec = z.strictObject({
  kind: z.enum(['host', 'router']).default('host'),
  defaultRoute: Ipv4.optional(),
  routes: z.array(Route).default([]),
  /** Name server; default: the lab's own. `none`: no name server. */
  resolver: z.union([Ipv4, z.literal('none')]).optional(),
  nat: Nat.optional(),
  /** Lets in from this network only what somebody went out for, and translates nothing. */
  firewall: z.strictObject({ outside: NetworkName }).optional(),
  /** Seconds after which a router with NAT or firewall forgets a flow of UDP; left out: Linux's 30, and 120 once answered. */
  forgetsAfter: z.int().min(1).max(3600).optional(),
  forwards: z.array(Forward).default([]),
  services: z.array(Service).default([]),
});
export type NodeSpec = z.infer<typeof NodeSpec>;

const Addresses = z.union([Cidr, z.array(Cidr).min(1)]).transform((value) => [value].flat());

export const TopologySchema = z.strictObject({
  description: z.string().optional(),
  nodes: z.record(NodeName, NodeSpec),
  networks: z.record(NetworkName, z.record(z.string(), Addresses)),
});
export type Topology = z.infer<typeof TopologySchema>;
export type TopologyInput = z.input<typeof TopologySchema>;

/** Checks a topology; `source` names it in errors. Throws `LabFailed` with every mistake and its path. */
export function parseTopology(input: unknown, source: string): Topology {
  const parsed = TopologySchema.safeParse(input);
  const mistakes = parsed.success
    ? mistakesOf(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${sentenceOf(issue)}`);
  if (parsed.success && mistakes.length === 0) return parsed.data;
  throw new GatewayError(
    `topology ${source} has ${mistakes.length} mistake(s):\n  ${mistakes.join('\n  ')}`,
    {
      code: 'LabFailed',
      retry: 'never',
      hint: 'docs/lab.md describes every field',
    },
  );
}

/** A name that is refused is an issue about a key, whose own issues say why. */
function sentenceOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join(', ') : issue.message;
}

/** What the schema cannot say: that the parts fit together. */
function mistakesOf(topology: Topology): string[] {
  return [
    ...networkMistakes(topology),
    ...Object.entries(topology.nodes).flatMap(([name, node]) =>
      nodeMistakes(topology, name, node).map((mistake) => `nodes.${name}.${mistake}`),
    ),
  ];
}

function networkMistakes({ networks, nodes }: Topology): string[] {
  const seen = new Map<string, string>();
  return Object.entries(networks).flatMap(([network, members]) =>
    Object.entries(members).flatMap(([member, addresses]) => {
      const path = `networks.${network}.${member}`;
      if (!(member in nodes)) return [`${path}: there is no node named ${member}`];
      return addresses.flatMap((cidr) => {
        const key = `${network} ${addressOf(cidr)}`;
        const other = seen.get(key);
        seen.set(key, member);
        return other === undefined ? [] : [`${path}: ${cidr} is taken by ${other}`];
      });
    }),
  );
}

function nodeMistakes(topology: Topology, name: string, node: NodeSpec): string[] {
  const mine = networksOf(topology, name);
  return [
    ...natMistakes(mine, name, node),
    ...routeMistakes(mine, name, node),
    ...serviceMistakes(mine, name, node),
  ];
}

function natMistakes(
  mine: readonly Attachment[],
  name: string,
  { nat, firewall, forwards, kind }: NodeSpec,
): string[] {
  if (firewall !== undefined && !mine.some(({ network }) => network === firewall.outside)) {
    return [`firewall.outside: ${name} is not in a network named ${firewall.outside}`];
  }
  if (nat === undefined) return forwards.length > 0 ? ['forwards: they need nat'] : [];
  const mistakes: string[] = [];
  if (kind !== 'router') mistakes.push('nat: only a node of kind router has one');
  if (!mine.some(({ network }) => network === nat.outside)) {
    mistakes.push(`nat.outside: ${name} is not in a network named ${nat.outside}`);
  }
  return mistakes;
}

function routeMistakes(
  mine: readonly Attachment[],
  name: string,
  { defaultRoute, routes }: NodeSpec,
): string[] {
  const hops = routes.map(({ via }, index) => ({ path: `routes.${index}.via`, via }));
  if (defaultRoute !== undefined) hops.unshift({ path: 'defaultRoute', via: defaultRoute });
  return hops
    .filter(({ via }) => !isOnLink(mine, via))
    .map(({ path, via }) => `${path}: ${via} is in none of the networks of ${name}`);
}

function serviceMistakes(mine: readonly Attachment[], name: string, { services, nat }: NodeSpec): string[] {
  const count = mine.flatMap(({ addresses }) => addresses).length;
  if (services.length > 0 && count === 0) return [`services: ${name} is in no network`];
  const mapping = services.find((service) => service.type === 'port-mapping');
  if (mapping !== undefined && nat === undefined) return ['services: port-mapping needs nat'];
  if (mapping !== undefined && !mine.some(({ network }) => network === mapping.inside)) {
    return [`services: ${name} is not in a network named ${mapping.inside}`];
  }
  const tor = services.find((service) => service.type === 'tor');
  if (tor === undefined) return [];
  if (count < 4) return [`services: a Tor network needs 4 addresses at least, ${name} has ${count}`];
  if (tor.exits < count) return [];
  return [`services: of ${count} relays at most ${count - 1} can be exits`];
}

export interface Attachment {
  readonly network: string;
  readonly addresses: readonly string[];
}

/** Networks that a node is in, in the order of the topology. */
export function networksOf(topology: Topology, node: string): Attachment[] {
  return Object.entries(topology.networks).flatMap(([network, members]) => {
    const addresses = members[node];
    return addresses === undefined ? [] : [{ network, addresses }];
  });
}

/** First address of a node, without prefix length. */
export function firstAddress(topology: Topology, node: string): string | undefined {
  const cidr = networksOf(topology, node)[0]?.addresses[0];
  return cidr === undefined ? undefined : addressOf(cidr);
}

/** Address of the name server that a node asks. */
export function resolverOf(topology: Topology, node: string): string | undefined {
  const said = topology.nodes[node]?.resolver;
  if (said !== undefined) return said === 'none' ? undefined : said;
  const server = Object.entries(topology.nodes).find(([, { services }]) =>
    services.some(({ type }) => type === 'dns'),
  );
  return server === undefined ? undefined : firstAddress(topology, server[0]);
}

export function addressOf(cidr: string): string {
  return cidr.slice(0, cidr.indexOf('/'));
}

function isOnLink(attachments: readonly Attachment[], address: string): boolean {
  return attachments.some(({ addresses }) => addresses.some((cidr) => contains(cidr, address)));
}

function contains(cidr: string, address: string): boolean {
  if (isIpv6(cidr) !== isIpv6(address)) return false;
  const bits = Number(cidr.slice(cidr.indexOf('/') + 1));
  const rest = BigInt((isIpv6(cidr) ? 128 : 32) - bits);
  return toNumber(addressOf(cidr)) >> rest === toNumber(address) >> rest;
}

/** An address, with a prefix length or without. */
export function isIpv6(text: string): boolean {
  return text.includes(':');
}

function toNumber(address: string): bigint {
  return parseIpv6(address) ?? BigInt(parseIpv4(address) ?? 0);
}
