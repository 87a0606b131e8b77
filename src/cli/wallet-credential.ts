import { open } from 'node:fs/promises';
import type { MintedToken, Minting } from '../core/control.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import { RIGHTS, type Rights } from '../core/rights.ts';
import type { TokenKind } from '../core/node-access.ts';
import { isAdmin, parseMacaroon } from '../wire/macaroon.ts';
import { isRune } from '../wire/wallet.ts';
import type { Input } from './command.ts';
import { UsageError } from './failure.ts';

/** Has the gateway make one for a device. */
export type Mint = (device: string, minting: Minting) => Promise<MintedToken>;

/** What the wallet may do with the node: made for a device now, or taken from a file. A macaroon as bytes, a rune as text. */
export async function credentialFor(
  kind: TokenKind,
  service: string,
  input: Input,
  mint: Mint,
): Promise<Uint8Array | string> {
  const device = input.text('device');
  const path = input.text(kind);
  if (device !== undefined && path !== undefined) {
    throw new UsageError(`--device and --${kind} exclude each other`, 'choose one of them');
  }
  if (device === undefined && input.text('rights') !== undefined) {
    throw new UsageError('--rights is for what is made for a device', 'name it: --device PHONE');
  }
  if (device !== undefined) {
    const { secret } = await mint(device, { service, rights: rightsOf(input.text('rights') ?? 'read') });
    return kind === 'macaroon' ? Buffer.from(secret, 'base64') : secret;
  }
  if (path !== undefined)
    return kind === 'macaroon' ? await readMacaroon(path, input.has('force')) : await readRune(path);
  throw new UsageError(
    `--device or --${kind} is missing`,
    `name the device that it is made for: --device PHONE; or the file with what the wallet may do: --${kind} FILE`,
  );
}

function rightsOf(text: string): Rights {
  const rights = RIGHTS.find((each) => each === text);
  if (rights !== undefined) return rights;
  throw new UsageError(`there are no rights ${text}`, `choose one of ${RIGHTS.join(', ')}`);
}

/** A macaroon for everything on a phone that may be lost is not a macaroon for that phone. */
async function readMacaroon(path: string, isForced: boolean): Promise<Uint8Array> {
  const bytes = await readSmall(path);
  const macaroon = parseMacaroon(bytes);
  if (macaroon === undefined) {
    throw new GatewayError(`${path} is no macaroon in the binary form in which LND writes its files`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: 'take the file of lncli bakemacaroon --save_to FILE, not its text in hexadecimal',
    });
  }
  const isUnknown = macaroon.permissions.length === 0;
  if (isForced || (!isUnknown && !isAdmin(macaroon))) return bytes;
  throw new GatewayError(
    isUnknown
      ? `what the macaroon in ${path} allows cannot be told`
      : `the macaroon in ${path} may make others for anything: who finds the phone has the node, for ever`,
    {
      code: 'InvalidRequest',
      retry: 'never',
      hint: 'make one for this wallet, with a root key of its own, which can be deleted: lncli bakemacaroon --root_key_id 1001 --save_to FILE info:read invoices:read invoices:write offchain:read offchain:write (or --force)',
    },
  );
}

async function readRune(path: string): Promise<string> {
  const text = Buffer.from(await readSmall(path))
    .toString('utf8')
    .trim();
  if (isRune(text)) return text;
  throw new GatewayError(`${path} holds no rune`, {
    code: 'InvalidRequest',
    retry: 'never',
    hint: 'put the value of "rune" into it, which lightning-cli createrune prints',
  });
}

const MOST_BYTES = 8192;

/** Never what is in the file: it is a secret. */
async function readSmall(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new GatewayError(`${path} cannot be read: ${messageOf(cause)}`, {
      code: 'PermissionDenied',
      cause,
    });
  }
}
