import { GatewayError } from '../core/errors.ts';
import { NAME } from '../core/name.ts';
import { isKey } from './wireguard.ts';

/** A peer of another WireGuard server, as far as it can become a device here. */
export interface ImportedPeer {
  /** What it will be called. */
  readonly name: string;
  /** What it was called there; foreign text, to be shown quoted. */
  readonly was: string;
  readonly publicKey: string;
  /** Its address there; empty when it says none. */
  readonly address: string;
}

export interface ImportedPeers {
  readonly peers: readonly ImportedPeer[];
  /** Sentences: what was left out and why; foreign text in them is to be shown plain. */
  readonly left: readonly string[];
}

/** As it stands there. */
export interface FoundPeer {
  readonly was: string;
  readonly publicKey: string;
  readonly address: string;
  readonly isOff?: boolean;
}

export const MOST_PEERS = 2000;

/**
 * wg0.json of wg-easy up to 14 (`clients` by id), or a wg-quick file, which wg-easy 15 writes too (`# Client: NAME (id)`
 * above each peer, as others write `# NAME` or `### Client NAME`). Nothing secret is taken from either.
 */
export function parsePeers(text: string): ImportedPeers {
  return importedFrom(text.trimStart().startsWith('{') ? peersOfJson(text) : peersOfConf(text));
}

/** What each can become here, and which cannot. */
export function importedFrom(found: readonly FoundPeer[]): ImportedPeers {
  if (found.length === 0) throw unreadable('there is no peer in it');
  if (found.length > MOST_PEERS) throw unreadable(`it has more than ${MOST_PEERS} peers`);
  const taken = new Set<string>();
  const keys = new Set<string>();
  const peers: ImportedPeer[] = [];
  const left: string[] = [];
  for (const [index, { was, publicKey, address, isOff }] of found.entries()) {
    const called = was === '' ? `peer ${index + 1}` : was;
    if (isOff === true) left.push(`${called} is switched off there`);
    else if (!isKey(publicKey)) left.push(`${called} has no public key of WireGuard`);
    else if (keys.has(publicKey)) left.push(`${called} has the key of another peer`);
    else {
      keys.add(publicKey);
      peers.push({ name: freeName(was, index, taken), was, publicKey, address });
    }
  }
  return { peers, left };
}

function peersOfJson(text: string): FoundPeer[] {
  const clients = fieldOf(parseJson(text), 'clients');
  if (typeof clients !== 'object' || clients === null) throw unreadable('it is no wg0.json of wg-easy');
  return Object.values(clients).map((client: unknown) => ({
    was: textOf(client, 'name'),
    publicKey: textOf(client, 'publicKey'),
    address: textOf(client, 'address'),
    isOff: fieldOf(client, 'enabled') === false,
  }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw unreadable('it begins like JSON and is none, or ends too early');
  }
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[field];
}

function textOf(value: unknown, field: string): string {
  const text = fieldOf(value, field);
  return typeof text === 'string' ? text : '';
}

/** Sections by their heads; a peer is called what the last comment above it says, with no empty line between. */
function peersOfConf(text: string): FoundPeer[] {
  const sections: { is: string; was: string; values: Map<string, string> }[] = [];
  let comment = '';
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[([A-Za-z]+)\]\s*$/.exec(line)?.[1];
    const [, key, value = ''] = /^\s*([A-Za-z]+)\s*=\s*([^#]*)/.exec(line) ?? [];
    if (section !== undefined) {
      sections.push({ is: section.toLowerCase(), was: comment, values: new Map() });
    } else if (key !== undefined) {
      sections.at(-1)?.values.set(key.toLowerCase(), value.trim());
    }
    comment = /^\s*#/.test(line) ? nameIn(line) : '';
  }
  return sections
    .filter(({ is }) => is === 'peer')
    .map(({ was, values }) => ({
      was,
      publicKey: values.get('publickey') ?? '',
      address: values.get('allowedips') ?? '',
    }));
}

/** `# Client: phone (6f2…)`, `### Client phone`, `# phone` */
function nameIn(line: string): string {
  return line
    .replace(/^\s*#+\s*(client:?\s+)?/i, '')
    .replace(/\s+\([0-9a-f-]+\)\s*$/, '')
    .trim();
}

/** A name of ours that is as near as can be and that no other has. */
function freeName(was: string, index: number, taken: Set<string>): string {
  const near = was
    .slice(0, 200)
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 27)
    .replace(/-+$/, '');
  const base = NAME.test(near) ? near : `peer-${index + 1}`;
  let name = base;
  for (let again = 2; taken.has(name); again += 1) name = `${base}-${again}`;
  taken.add(name);
  return name;
}

function unreadable(why: string): GatewayError {
  return new GatewayError(`no devices can be taken from this file: ${why}`, {
    code: 'InvalidRequest',
    retry: 'never',
    hint: 'give wg0.json of wg-easy 14 or older, wg-easy.db of wg-easy 15, or wg0.conf of wg-quick (/etc/wireguard)',
  });
}
