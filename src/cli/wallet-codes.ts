import type { Handout } from '../core/contract.ts';
import { RIGHTS, RIGHTS_MEANINGS } from '../core/rights.ts';
import type { ServiceKind } from '../core/service.ts';
import { clnrestCore, clnrestZeus, electrum, lndconnect, type Place } from '../wire/wallet.ts';
import type { Input, Option } from './command.ts';
import { UsageError } from './failure.ts';
import { credentialFor, type Mint } from './wallet-credential.ts';

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
    name: 'device',
    value: 'DEVICE',
    completion: 'devices',
    summary: 'Have the node make a macaroon or rune for this device alone; it ends with the device',
  },
  {
    name: 'rights',
    value: 'RIGHTS',
    completion: RIGHTS,
    summary: `What the wallet on it may do: ${RIGHTS.map((each) => `${each} (${RIGHTS_MEANINGS[each]})`).join(', ')}; read when left out`,
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
  readonly mint: Mint;
}

/** The codes of a service's addresses, as one wallet reads them. Secret when there is something in it to spend with. */
export async function walletCodes({
  service,
  kind,
  handouts,
  input,
  mint,
}: WalletCodesInput): Promise<Handout[]> {
  const wallet = walletOf(input.text('wallet') ?? '');
  const render = await rendererFor(service, kind, wallet, input, mint);
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
  mint: Mint,
): Promise<(place: Place) => string> {
  if (wallet === 'electrum' && kind === 'electrum') return (place) => electrum(place, input.has('tls'));
  if (wallet === 'zeus' && kind === 'lnd') {
    const macaroon = await credentialFor('macaroon', service, input, mint);
    return (place) => lndconnect(place, Buffer.from(macaroon));
  }
  if (wallet !== 'electrum' && kind === 'clnrest') {
    const rune = await credentialFor('rune', service, input, mint);
    return (place) => (wallet === 'zeus' ? clnrestZeus : clnrestCore)(place, String(rune));
  }
  throw new UsageError(
    `${service} is of kind ${kind}, for which ${wallet} has no code`,
    'zeus: lnd, clnrest; cln: clnrest; electrum: electrum; see gateway service set --kind',
  );
}

function placeOf(text: string): Place {
  const url = new URL(text);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port === '' ? 80 : url.port) };
}
