import { open } from 'node:fs/promises';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { TokenKind } from '../core/node-access.ts';
import { Secret } from '../core/secret.ts';
import type { Service } from '../core/service.ts';
import { parseMacaroon } from '../wire/macaroon.ts';
import { isRune } from '../wire/wallet.ts';

const MOST_BYTES = 8192;
const OTHERS = 0o007;

/** The gateway's own way into a node: what its file holds, as the node's header wants it. */
export async function readCredential(service: Service, kind: TokenKind): Promise<Secret<string>> {
  const path = service.node?.credential ?? '';
  const bytes = await readOwn(path, `the ${kind} of ${service.name}`, OTHERS);
  if (kind === 'macaroon' && parseMacaroon(bytes) !== undefined) {
    return new Secret(Buffer.from(bytes).toString('hex'));
  }
  const text = Buffer.from(bytes).toString('utf8').trim();
  if (kind === 'rune' && isRune(text)) return new Secret(text);
  throw new GatewayError(`${path} holds no ${kind}`, {
    code: 'ConfigInvalid',
    retry: 'when-changed',
    hint:
      kind === 'macaroon'
        ? `make one: lncli bakemacaroon --save_to ${path} macaroon:generate macaroon:write${service.node?.announce === undefined ? '' : ' info:read peers:write'}`
        : `make one, and put the value of "rune" into it: lightning-cli createrune restrictions='[["method=createrune","method=blacklistrune"]]'`,
  });
}

/** Public; nothing else at the node's address is trusted. */
export async function readCertificate(service: Service): Promise<string> {
  const path = service.node?.certificate ?? '';
  const text = Buffer.from(await readOwn(path, `the certificate of ${service.name}`, 0)).toString('utf8');
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new GatewayError(`${path} holds no certificate in PEM form`, {
    code: 'ConfigInvalid',
    retry: 'when-changed',
    hint: "name the node's own: tls.cert of LND, ca.pem of clnrest",
  });
}

/** `forbidden`: bits of the mode that let in who has no business with it. */
async function readOwn(path: string, what: string, forbidden: number): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new Error('it is no file');
      if ((stat.mode & forbidden) !== 0) throw tooOpen(path, what);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError(`the daemon cannot read ${what}: ${messageOf(cause)}`, {
      code: 'PermissionDenied',
      hint: `let its user read it: chown gateway ${path} && chmod 400 ${path}, and every folder above it`,
      cause,
    });
  }
}

function tooOpen(path: string, what: string): GatewayError {
  return new GatewayError(`everybody on this machine may read ${what}, ${path}, so it is not used`, {
    code: 'PermissionDenied',
    retry: 'when-changed',
    hint: `keep it to the daemon: chown gateway ${path} && chmod 400 ${path}`,
  });
}
