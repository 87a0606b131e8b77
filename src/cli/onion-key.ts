import type { OnionImport, OnionImported } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import type { Client } from './client.ts';
import type { Context, Option } from './command.ts';
import { segment } from './report.ts';

/** What both commands that import a key take. */
export function keyOption(name: string): Option {
  return {
    name,
    value: 'PATH',
    completion: 'file',
    summary: "Serve an onion address that exists: tor's HiddenServiceDir, or its hs_ed25519_secret_key",
  };
}

/**
 * Read here, as the user who typed the command: the daemon may not read the files of another tor. Resolves once the
 * gateway keeps the key; the files stay as they are.
 */
export async function sendOnionKey(
  service: string,
  path: string,
  client: Client,
  { progress, signal }: Context,
): Promise<void> {
  const { readOnionKey } = await import('../system/onion-key.ts');
  const { secret, hostname } = await readOnionKey(path);
  const body: OnionImport = { secretKey: Buffer.from(secret.reveal()).toString('base64'), hostname };
  const url = `/v1/services/${segment(service)}/onion-key`;
  const imported = await client.send<OnionImported>('PUT', url, body, progress, signal);
  if (imported.hostname !== hostname) {
    throw new GatewayError(`the gateway keeps ${imported.hostname}, but ${path} gives ${hostname}`, {
      code: 'KeyCorrupt',
    });
  }
  progress(`imported ${hostname}; take it out of the other tor: two that serve one address harm each other`);
}
