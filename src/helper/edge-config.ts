import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { EdgeListen, EdgeSpec, type EdgeRoute } from '../core/operations.ts';
import type { Paths } from '../system/directories.ts';
import { deviceFiles } from './edge-devices.ts';
import { isServerLine } from './edge-services.ts';
import { insideLines, insideMaps } from './edge-inside.ts';
import { webLines } from './edge-web.ts';
import { jsonAfter, type LeftOut } from './own-comments.ts';

/** What this machine allows of what was asked. */
export interface EdgeHere {
  /** Services whose port is taken. */
  readonly left: readonly LeftOut[];
  /** Where visitors of web names really arrive; absent: they come by another way. */
  readonly listen?: EdgeListen | undefined;
  /** Why these are not the ports that were asked for. */
  readonly taken: readonly string[];
  /** An address of IPv6 can be bound. */
  readonly hasIpv6: boolean;
  /** Onion addresses that visitors may be told, by service. */
  readonly onions: Readonly<Record<string, string>>;
  /** There is a certificate for a site that is an address. */
  readonly hasAddress: boolean;
  /** First messages of visitors are looked at before TLS ends. */
  readonly looks: boolean;
  /** Tunnels to relays whose visitors cannot be taken, and why: a port that is taken; absent: none. */
  readonly shut?: readonly { readonly number: number; readonly why: string }[] | undefined;
}

type EdgePaths = Pick<Paths, 'edgeSocket' | 'edgeRun' | 'edgeDoor' | 'handoutSocket' | 'onionDoor'>;

export interface EdgeConfig {
  readonly asked: EdgeSpec;
  readonly here: EdgeHere;
  /**
   * Of everything below its own line, and of files that only a load reads, but what comes and goes while HAProxy runs (edge-runtime.ts); HAProxy gives it back as
   * its description: so it says what it has loaded.
   */
  readonly hash: string;
}

const Here: z.ZodType<EdgeHere> = z.object({
  left: z.array(z.object({ service: z.string(), reason: z.string() })),
  listen: EdgeListen.optional(),
  taken: z.array(z.string()),
  hasIpv6: z.boolean(),
  hasAddress: z.boolean(),
  looks: z.boolean(),
  onions: z.record(z.string(), z.string()),
  shut: z.array(z.object({ number: z.number(), why: z.string() })).optional(),
});

const ASKED = '# asked: ';
const HERE = '# here: ';
export const DESCRIPTION = '    description gateway-';
/** One service's share of all connections, so that a device cannot use up what the others need. */
const CONNECTIONS_PER_ROUTE = 2000;

/** An SSH session or a wallet may be silent for hours; whether the far end still lives is what keepalive asks. */
export const LIFE_LINES: readonly string[] = [
  '    mode tcp',
  '    timeout connect 10s',
  '    timeout client 24h',
  '    timeout server 24h',
  '    option clitcpka',
  '    clitcpka-idle 60s',
  '    clitcpka-intvl 15s',
  '    clitcpka-cnt 4',
  '    option srvtcpka',
  '    srvtcpka-idle 60s',
  '    srvtcpka-intvl 15s',
  '    srvtcpka-cnt 4',
];

/** HAProxy's configuration as text. Pure: the same input gives the same bytes. */
export function renderEdgeConfig(
  asked: EdgeSpec,
  here: EdgeHere,
  { edgeSocket, edgeRun, edgeDoor, handoutSocket, onionDoor }: EdgePaths,
): string {
  const leftOut = new Set(here.left.map(({ service }) => service));
  const lines = [
    // Certificates and maps lie beside it.
    '    default-path config',
    `    stats socket ${quote(edgeSocket)} mode 600 level admin expose-fd listeners`,
    // The limit of files that we were given may be a billion, and HAProxy takes memory for each.
    '    fd-hard-limit 65536',
    '',
    'defaults',
    ...LIFE_LINES,
    ...asked.routes
      .filter(({ service }) => !leftOut.has(service))
      .flatMap((route) => routeLines(route, asked.devices)),
    ...insideLines(asked, {
      onionDoor: (instance, service) => quote(onionDoor(instance, service)),
      door: quote(edgeDoor),
    }),
    ...webLines(asked, here, {
      inner: (name) => `unix@${quote(join(edgeRun, `${name}.sock`))}`,
      handouts: quote(handoutSocket),
    }),
    '',
  ];
  const head = [
    '# Written by gateway; changes are overwritten.',
    `${ASKED}${JSON.stringify(asked)}`,
    // Through the schema: what is read back must be the same text, in whatever order it was gathered.
    `${HERE}${JSON.stringify(Here.parse(here))}`,
  ].join('\n');
  const loaded = lines.filter((line) => !isServerLine(line)).join('\n');
  const hash = createHash('sha256')
    .update(JSON.stringify([deviceFiles(asked), ...insideMaps(asked)]))
    .update(loaded)
    .digest('hex');
  return `${head}\nglobal\n${DESCRIPTION}${hash}\n${lines.join('\n')}`;
}

function routeLines({ service, address, port, to }: EdgeRoute, devices: string): string[] {
  return [
    '',
    `frontend ${service}`,
    `    bind ${address}:${port}`,
    `    maxconn ${CONNECTIONS_PER_ROUTE}`,
    `    tcp-request connection reject unless { src ${devices} }`,
    `    default_backend ${service}`,
    `backend ${service}`,
    `    server target ${addressText(to.host)}:${to.port}`,
  ];
}

function addressText(host: string): string {
  return host.includes(':') ? `ipv6@[${host}]` : `ipv4@${host}`;
}

/** What a configuration of ours says about itself, or `undefined` when it is not ours. */
export function parseEdgeConfig(text: string): EdgeConfig | undefined {
  const lines = text.split('\n');
  const asked = EdgeSpec.safeParse(jsonAfter(lines, ASKED));
  const here = Here.safeParse(jsonAfter(lines, HERE));
  if (!asked.success || !here.success) return undefined;
  const description = lines.find((line) => line.startsWith(DESCRIPTION)) ?? '';
  return {
    asked: asked.data,
    here: here.data,
    hash: description.slice(DESCRIPTION.length),
  };
}

/** The hash inside what `show info` says of itself. */
export function hashOfDescription(value: string): string | undefined {
  const prefix = DESCRIPTION.slice('    description '.length);
  return value.startsWith(prefix) ? value.slice(prefix.length) : undefined;
}

export function quote(path: string): string {
  return `"${path.replaceAll(/["\\$]/g, '\\$&')}"`;
}
