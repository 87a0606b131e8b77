import { z } from 'zod';
import type { Fault } from './config-rules.ts';
import type { ServiceKind } from './service.ts';

/** Where the gateway finds its own way into a Lightning node, with which it makes credentials for devices. */
const PATH = z
  .string()
  .regex(/^\/[^\0\n]{1,1000}$/, 'must be the whole path of a file, such as /etc/gateway/lnd.macaroon');

export const NODE_ACCESS = z.strictObject({
  macaroon: PATH.optional().describe(
    'LND: file of the macaroon that makes and deletes others (macaroon:generate macaroon:write), and announces (info:read peers:write) where `announce` stands. The daemon reads it, and nobody but its user and group may.',
  ),
  rune: PATH.optional().describe(
    'Core Lightning: file with the rune that makes and deletes others (createrune, blacklistrune). The daemon reads it, and nobody but its user and group may.',
  ),
  announce: z
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe(
      "LND: the port at which other nodes reach it at the home's public address; it is told to announce each new one, once that is proved: docs/announce.md.",
    ),
  certificate: PATH.describe(
    "The node's own certificate (tls.cert of LND, ca.pem of clnrest); no other is trusted.",
  ),
});

export interface NodeAccess {
  /** File of the gateway's own macaroon or rune. */
  readonly credential: string;
  readonly certificate: string;
  /** Port that the node announces at the home's public address; absent: it is told of none. */
  readonly announce?: number;
}

/** What the gateway makes for a device there. */
export const TOKEN_KINDS = ['macaroon', 'rune'] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

export function tokenKindOf(kind: ServiceKind): TokenKind | undefined {
  return kind === 'lnd' ? 'macaroon' : kind === 'clnrest' ? 'rune' : undefined;
}

/**
 * kind    | macaroon | rune
 * --------+----------+-------
 * lnd     | needed   | wrong
 * clnrest | wrong    | needed
 * others  | no `node` at all
 */
export function nodeFault(
  name: string,
  kind: ServiceKind,
  node: z.infer<typeof NODE_ACCESS> | undefined,
): Fault | undefined {
  if (node === undefined) return undefined;
  const path = ['services', name, 'node'];
  const needed = tokenKindOf(kind);
  if (needed === undefined) {
    const message = `services.${name}.node: a service of kind ${kind} makes no credentials for devices`;
    return { path, message, hint: 'remove it, or write kind: lnd or kind: clnrest' };
  }
  if (kind === 'clnrest' && node.announce !== undefined) {
    return {
      path: [...path, 'announce'],
      message: `services.${name}.node.announce: Core Lightning takes no new address while it runs`,
      hint: 'remove it, and let a program of yours do it: announce: { programs: [/path/of/it] } (docs/announce.md)',
    };
  }
  const other = needed === 'macaroon' ? 'rune' : 'macaroon';
  if (node[needed] !== undefined && node[other] === undefined) return undefined;
  const message = `services.${name}.node: ${kind} takes a ${needed}${node[other] === undefined ? '' : `, not a ${other}`}`;
  return {
    path,
    message,
    hint: `write node: { ${needed}: /path/of/its/file, certificate: /path/of/its/file }`,
  };
}

export function nodeAccessOf(node: z.infer<typeof NODE_ACCESS>): NodeAccess {
  const { macaroon, rune, certificate, announce } = node;
  return { credential: macaroon ?? rune ?? '', certificate, ...(announce === undefined ? {} : { announce }) };
}
