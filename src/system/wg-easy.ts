import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { GatewayError, messageOf } from '../core/errors.ts';
import { importedFrom, MOST_PEERS, type FoundPeer, type ImportedPeers } from '../wire/wireguard-import.ts';

/** First bytes of every SQLite file (sqlite.org/fileformat.html 1.3.1). */
export const SQLITE_MAGIC = 'SQLite format 3\0';

/** src/server/database/repositories/client/schema.ts of wg-easy 15. */
const Row = z.object({
  name: z.string(),
  public_key: z.string(),
  ipv4_address: z.string(),
  enabled: z.number(),
});
const TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'clients_table'";
const CLIENTS = `SELECT name, public_key, ipv4_address, enabled FROM clients_table ORDER BY id LIMIT ${MOST_PEERS + 1}`;

/** The clients in the database of wg-easy 15 (wg-easy.db). Nothing secret is read, and nothing is written. */
export function readWgEasy(path: string): ImportedPeers {
  let database: DatabaseSync | undefined;
  try {
    database = open(path);
    database.exec('PRAGMA trusted_schema = OFF');
    if (database.prepare(TABLE).get() === undefined) throw new Error('it has no table of clients');
    return importedFrom(database.prepare(CLIENTS).all().map(peerOf));
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError(`${path} is no database of wg-easy that can be read: ${messageOf(cause)}`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: 'give wg-easy.db as it lies in /etc/wireguard of wg-easy 15, with wg-easy.db-wal beside it if there is one; or its wg0.conf',
      cause,
    });
  } finally {
    database?.close();
  }
}

/** What wg-easy has not yet written into the file itself is in the one beside it, and is read along. */
function open(path: string): DatabaseSync {
  if (existsSync(`${path}-wal`)) return new DatabaseSync(path, { readOnly: true });
  // Otherwise SQLite would make that file, to read what was in such a mode.
  const url = pathToFileURL(path);
  url.search = '?immutable=1';
  return new DatabaseSync(url, { readOnly: true });
}

function peerOf(row: unknown): FoundPeer {
  const client = Row.safeParse(row);
  if (!client.success) throw new Error('its table of clients is not the one of wg-easy 15');
  const { name, public_key: publicKey, ipv4_address: address, enabled } = client.data;
  return { was: name, publicKey, address, isOff: enabled === 0 };
}
