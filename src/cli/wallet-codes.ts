import { open } from 'node:fs/promises';
import type { Handout } from '../core/contract.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { ServiceKind } from '../core/service.ts';
import { isAdmin, parseMacaroon } from '../wire/macaroon.ts';
import { clnrestCore, clnrestZeus, electrum, isRune, lndconnect, type Place } from '../wire/wallet.ts';
import type { Input, Option } from './command.ts';
import { UsageError } from './failure.ts';

export const WALLETS = ['zeus', 'cln', 'electrum'] as const;
type Wallet = (typeof WALLETS)[number];

export const WALLET_OPTIONS: readonly Option[] = [
  {
    name: 'wallet',
    value: 'WALLET',
    completion: WALLETS,
    summary: 'Make the code that a wallet scans: zeus, cln (the form of Core Lightning) or electrum',
  },
  {
    name: 'macaroon',
    value: 'FILE',
    completion: 'file',
    summary: 'What the wallet may do with LND; of least rights: lncli bakemacaroon',
  },
  {
    name: 'rune',
    value: 'FILE',
    completion: 'file',
    summary: 'What the wallet may do with Core Lightning: the rune in a file, of lightning-cli createrune',
  },
  { name: 'tls', summary: 'The Electrum server answers with TLS' },
  { name: 'force', summary: 'Take a macaroon that may do everything' },
];

export interface WalletCodesInput {
  readonly service: string;
  readonly kind: ServiceKind;
  readonly handouts: readonly Handout[];
  readonly input: Input;
}

/** The codes of a service's addresses, as one wallet reads them. Secret when there is something in it to spend with. */
export async function walletCodes({ service, kind, handouts, input }: WalletCodesInput): Promise<Handout[]> {
  const wallet = walletOf(input.text('wallet') ?? '');
  const render = await rendererFor(service, kind, wallet, input);
  return handouts
    .filter((handout) => handout.kind === 'link')
    .map((handout) => ({
      ...handout,
      label: `${handout.label}, for ${wallet}`,
      secret: wallet !== 'electrum',
      text: render(placeOf(handout.text)),
    }));
}

function walletOf(text: string): Wallet {
  const wallet = WALLETS.find((each) => each === text);
  if (wallet !== undefined) return wallet;
  throw new UsageError(`there is no form for the wallet ${text}`, `choose one of ${WALLETS.join(', ')}`);
}

async function rendererFor(
  service: string,
  kind: ServiceKind,
  wallet: Wallet,
  input: Input,
): Promise<(place: Place) => string> {
  if (wallet === 'electrum' && kind === 'electrum') return (place) => electrum(place, input.has('tls'));
  if (wallet === 'zeus' && kind === 'lnd') {
    const macaroon = await readMacaroon(demand(input, 'macaroon'), input.has('force'));
    return (place) => lndconnect(place, macaroon);
  }
  if (wallet !== 'electrum' && kind === 'clnrest') {
    const rune = await readRune(demand(input, 'rune'));
    return (place) => (wallet === 'zeus' ? clnrestZeus : clnrestCore)(place, rune);
  }
  throw new UsageError(
    `${service} is of kind ${kind}, for which ${wallet} has no code`,
    'zeus: lnd, clnrest; cln: clnrest; electrum: electrum; see gateway service set --kind',
  );
}

function demand(input: Input, option: string): string {
  const path = input.text(option);
  if (path !== undefined) return path;
  throw new UsageError(
    `--${option} is missing`,
    `name the file with what the wallet may do: --${option} FILE`,
  );
}

function placeOf(text: string): Place {
  const url = new URL(text);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port === '' ? 80 : url.port) };
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
