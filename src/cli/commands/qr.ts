import type { Handout } from '../../core/contract.ts';
import type { MintedToken } from '../../core/control.ts';
import { GatewayError } from '../../core/errors.ts';
import type { FallbackStatus, ServiceStatus, Status } from '../../core/status.ts';
import { suggest } from '../../core/suggest.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { UsageError } from '../failure.ts';
import { FILE_OPTIONS, reserveFiles } from '../handout-files.ts';
import { segment, show } from '../report.ts';
import { plain } from '../terminal.ts';
import { wipeOnceSaved } from '../secret-screen.ts';
import { WALLET_OPTIONS, walletCodes } from '../wallet-codes.ts';
import type { Mint } from '../wallet-credential.ts';

export const qr: Command = {
  name: 'qr',
  summary: 'Show the code of a service, for its visitors',
  details: [
    'Of several ways in it shows the one in use (gateway status), and says so when that is not the first choice; also one that was proved, where the one in use was not. --via shows any other.',
    'With --wallet it is the code that a wallet scans: lndconnect for LND, without a certificate, which neither an onion nor a tunnel needs; both forms of clnrest; host, port and t or s for Electrum. The tunnel itself has a code of its own: gateway device add.',
    'With --device the node makes a macaroon (LND) or rune (Core Lightning) for that device alone, with the rights that are named; it is shown once, and works until the device or its service is taken away, or the code is made again. gateway.yaml must say how the gateway gets into the node: node: { macaroon: FILE, certificate: FILE }, or rune: FILE.',
    'The code of a device holds its private key, which is not kept: it is shown once, by gateway device add or gateway device renew.',
  ],
  arguments: [{ name: 'NAME', completion: 'services', summary: 'Name of a service' }],
  options: [
    {
      name: 'via',
      value: 'PROVIDER',
      completion: 'providers',
      summary: 'Which way in; default: the one in use',
    },
    ...WALLET_OPTIONS,
    ...FILE_OPTIONS,
  ],
  examples: [
    'gateway qr shop',
    'gateway qr lnd --via wireguard --wallet zeus --device phone --rights invoice',
    'gateway qr electrs --via tor --wallet electrum',
  ],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const client = await context.client();
    const status = await client.get<Status>('/v1/status', context.signal);
    refuseOthers(name, status);
    const all = await client.get<Handout[]>(`/v1/services/${segment(name)}/handouts`, context.signal);
    const via = input.text('via');
    const service = status.services.find((each) => each.name === name);
    const ways =
      via === undefined ? inUse(all, service, context) : all.filter((handout) => matches(handout, via));
    const kind = service?.kind ?? 'tcp';
    if (ways.length === 0) throw nothingToShow(name, via);
    // Before anything is made: what is shown once must not be lost because a file could not be written.
    const files = await reserveFiles(input);
    try {
      if (files.count > 0 && ways.length > 1) {
        throw new UsageError(`${name} has several codes`, 'say which: --via PROVIDER');
      }
      const mint: Mint = (device, minting) => {
        const path = `/v1/devices/${segment(device)}/tokens`;
        return client.send<MintedToken>('POST', path, minting, context.progress, context.signal);
      };
      const isForWallet = input.text('wallet') !== undefined;
      const handouts = isForWallet
        ? await walletCodes({ service: name, kind, handouts: ways, input, mint })
        : ways;
      if (context.isJson) {
        show(context, handouts, () => '');
        return EXIT.ok;
      }
      const [only] = handouts;
      if (files.count === 0 || only === undefined) {
        await draw(handouts, context);
        if (handouts.some(({ secret }) => secret)) await wipeOnceSaved(context);
        return EXIT.ok;
      }
      context.terminal.print(`Written: ${(await files.fill(only.text)).join(', ')}`);
    } finally {
      await files.release();
    }
    return EXIT.ok;
  },
};

async function draw(handouts: readonly Handout[], { terminal }: Context): Promise<void> {
  const { terminalQr } = await import('../qr.ts');
  for (const { label, text } of handouts) {
    terminal.print(`${label}: ${text}`);
    try {
      terminal.print(terminalQr(text));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      terminal.note(`${error.message}: ${error.hint ?? ''}`);
    }
  }
}

/** Those of the ways that people are told now; all, where none of these has an address yet. */
function inUse(
  all: readonly Handout[],
  service: ServiceStatus | undefined,
  { terminal }: Context,
): readonly Handout[] {
  if (service?.fallback?.isFallback === true) terminal.note(plain(tookOver(service.fallback)));
  const told = service?.fallback?.advertised ?? [];
  const urls = told.flatMap(
    (provider) =>
      service?.ways.find((way) => way.provider === provider)?.addresses.map(({ url }) => url) ?? [],
  );
  const used = all.filter(({ text }) => urls.includes(text));
  return used.length === 0 ? all : used;
}

function tookOver({ way, order, why }: FallbackStatus): string {
  return `! ${way} took over, until ${order[0] ?? 'a better way'} works again: ${why}; another way: --via PROVIDER`;
}

function matches({ label, file }: Handout, via: string): boolean {
  return `${label} ${file}`.toLowerCase().includes(via.toLowerCase());
}

function refuseOthers(name: string, { services, devices }: Status): void {
  if (services.some((service) => service.name === name)) return;
  if (devices.some((device) => device.name === name)) {
    throw new GatewayError(`the private key of ${name} was handed out once and is not kept`, {
      code: 'NotSupported',
      hint: `make new keys (the old ones stop working): gateway device renew ${name}`,
    });
  }
  const meant = suggest(
    name,
    services.map((service) => service.name),
  );
  throw new GatewayError(`there is no service "${name}"`, {
    code: 'ServiceUnknown',
    hint: meant === undefined ? 'see gateway service list' : `did you mean ${meant}?`,
  });
}

function nothingToShow(name: string, via: string | undefined): GatewayError {
  return new GatewayError(`${name} has no address to show${via === undefined ? '' : ` by ${via}`} yet`, {
    code: 'NotSupported',
    hint: `see gateway status; open a way in: gateway expose ${name} --via tor`,
  });
}
