import { readFile } from 'node:fs/promises';
import { parseDnsServer, type DnsAccess } from '../../core/dns-config.ts';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { DnsHost } from '../../core/names.ts';
import { cloudflare } from './cloudflare.ts';
import { command } from './command.ts';
import { desec, registerDesecName } from './desec.ts';
import { duckdns } from './duckdns.ts';
import { dyndns2 } from './dyndns2.ts';
import { rfc2136 } from './rfc2136.ts';

const MAX_CREDENTIAL_CHARACTERS = 4096;

/** Reads the credential each time, so that one that was replaced is used at once. */
export async function openDnsHost(zone: string, access: DnsAccess): Promise<DnsHost> {
  if (access.host === 'command') {
    const credential =
      access.credential === undefined ? undefined : await readCredential(zone, access.credential);
    return command({ command: access.command, credential });
  }
  const secret = await readCredential(zone, access.credential);
  switch (access.host) {
    case 'desec':
      return desec({ server: access.server, zone, token: secret });
    case 'cloudflare':
      return cloudflare({ server: access.server, zone, token: secret });
    case 'duckdns':
      return duckdns({ server: access.server, token: secret });
    case 'dyndns2':
      return dyndns2({ server: access.server, user: access.user, password: secret });
    case 'rfc2136':
      return rfc2136({
        server: parseDnsServer(access.server) ?? { host: access.server, port: 53 },
        zone,
        key: {
          name: access.key,
          algorithm: access.algorithm,
          secret: decodeSecret(access.credential, secret),
        },
      });
  }
}

/** Takes a free name: only at deSEC, where it needs no more than a token. */
export async function registerName(zone: string, access: DnsAccess, signal: AbortSignal): Promise<void> {
  if (access.host !== 'desec') {
    throw new GatewayError(`a name cannot be registered at ${access.host} from here, only at desec`, {
      code: 'NotSupported',
      retry: 'never',
      hint: `make the name on the pages of ${access.host}, then leave out --register`,
    });
  }
  const token = await readCredential(zone, access.credential);
  await registerDesecName({ server: access.server, zone, token }, signal);
}

async function readCredential(zone: string, path: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw unreadable(zone, path, `it could not be read (${errnoOf(error) ?? 'no reason given'})`, error);
  }
  if (text === '') throw unreadable(zone, path, 'it is empty');
  if (text.length > MAX_CREDENTIAL_CHARACTERS || /[\r\n]/.test(text)) {
    throw unreadable(zone, path, 'it holds more than one line');
  }
  return text;
}

function unreadable(zone: string, path: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError(`the credential for ${zone}, ${path}, cannot be used: ${why}`, {
    code: 'NameRefused',
    retry: 'when-changed',
    hint: `put the secret alone into it, and: chown gateway ${path}; chmod 600 ${path}`,
    cause,
  });
}

/** As `tsig-keygen` and `keymgr` print it. */
function decodeSecret(path: string, text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length > 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) return bytes;
  throw new GatewayError(`the TSIG secret in ${path} is not base64`, {
    code: 'NameRefused',
    retry: 'when-changed',
    hint: 'put into it what stands between the quotes after `secret` in the key file of the name server',
  });
}
