import type { Handout } from '../../core/contract.ts';
import type { Enrolled, Taken } from '../../core/control.ts';
import type { Status } from '../../core/status.ts';
import type { Client } from '../client.ts';
import { type Command, type Context, EXIT, type Input, type Option } from '../command.ts';
import { handOut } from '../enrolment.ts';
import { parseExpiry } from '../expiry.ts';
import { UsageError } from '../failure.ts';
import { CERTIFICATE_FILE, FILE_OPTIONS } from '../handout-files.ts';
import { ONION_DIR } from '../onion-files.ts';
import { rightOf, rightsOption, servicesOption, wholeNumber } from '../parse.ts';
import { renderDevices } from '../render-lists.ts';
import { segment, show, warnings } from '../report.ts';
import { wipe, wipeOnceSaved } from '../secret-screen.ts';
import { painter } from '../table.ts';
import { plain } from '../terminal.ts';
import { awaitHandshake } from '../wait.ts';

const DEVICE = { name: 'NAME', completion: 'devices', summary: 'Name of the device' } as const;
const WAITING: readonly Option[] = [
  { name: 'no-wait', summary: 'Do not wait for the device' },
  { name: 'timeout', value: 'SECONDS', summary: 'Wait no longer than this (600)' },
];
const SHOWN_ONCE =
  'The code holds a private key that is not kept: it is shown once. Without --png, --svg or --conf it is drawn in the terminal, which is wiped, with what can be scrolled back, once the device is connected or you say that it is saved.';
const ONION_KEYS =
  'For services whose onion asks for a key (authorization: required) the address and the key are shown too, for Tor Browser, Orbot and a tor of your own; --onion-dir writes the key files instead.';
const CERTIFICATES =
  'For pages that let in only devices (access: devices) a certificate is made. It is fetched once, on the device, by a link that works for 15 minutes, or written with --p12; the device asks for the password that is shown beside it.';
const WAIT_DETAILS =
  'Then the command waits for the first handshake of the device. Ctrl-C ends the waiting; the device stays. Exit code 3: no handshake was seen.';

export const deviceAdd: Command = {
  name: 'device add',
  summary: 'Add a phone or laptop and show the code that it scans',
  details: [SHOWN_ONCE, ONION_KEYS, CERTIFICATES, WAIT_DETAILS],
  arguments: [{ name: 'NAME', summary: 'A name for it: a to z, 0 to 9, dashes' }],
  options: [
    servicesOption('A service that it may reach; may be repeated'),
    rightsOption('lnd:unlock: it may open the wallet of an LND that it reaches by a page'),
    {
      name: 'expires',
      value: 'TIME',
      summary: 'Revoke it by itself: after 12h, 30d, 4w, or after 2027-03-01',
    },
    {
      name: 'onion-key',
      value: 'KEY',
      summary: 'Public x25519 key (base32) that the device made itself for onion services',
    },
    {
      name: 'public-key',
      value: 'KEY',
      summary: 'Public WireGuard key that the device made itself; then no private key is made',
    },
    ONION_DIR,
    CERTIFICATE_FILE,
    ...FILE_OPTIONS,
    ...WAITING,
  ],
  examples: ['gateway device add alice-phone --service shop'],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const services = input.list('service');
    if (services.length === 0) {
      throw new UsageError(
        '--service is missing',
        'name each service that the device may reach: --service shop',
      );
    }
    const rights = input.list('right').map(rightOf);
    const expiresAt = parseExpiry(input.text('expires'), Date.now());
    const onionKey = input.text('onion-key');
    const publicKey = input.text('public-key');
    const draft = {
      name,
      services,
      ...(rights.length === 0 ? {} : { rights }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(onionKey === undefined ? {} : { onionKey }),
      ...(publicKey === undefined ? {} : { publicKey }),
    };
    return await enrol(name, input, context, (client) =>
      client.send<Enrolled>('POST', '/v1/devices', draft, context.progress, context.signal),
    );
  },
};

export const deviceRenew: Command = {
  name: 'device renew',
  summary: 'Give a device new keys; the old ones stop working at once',
  details: [SHOWN_ONCE, ONION_KEYS, CERTIFICATES, WAIT_DETAILS],
  arguments: [DEVICE],
  options: [ONION_DIR, CERTIFICATE_FILE, ...FILE_OPTIONS, ...WAITING],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const path = `/v1/devices/${segment(name)}/renew`;
    return await enrol(name, input, context, (client) =>
      client.send<Enrolled>('POST', path, undefined, context.progress, context.signal),
    );
  },
};

async function enrol(
  name: string,
  input: Input,
  context: Context,
  ask: (client: Client) => Promise<Enrolled>,
): Promise<number> {
  const waitMs = wholeNumber(input.text('timeout') ?? '600', '--timeout', 1, 86_400) * 1000;
  const client = await context.client();
  // WireGuard counts handshakes in whole seconds.
  const since = Math.floor(Date.now() / 1000) * 1000;
  const handed = await handOut(input, context, () => ask(client));
  if (handed === undefined) return EXIT.ok;
  const shown = await handed.show();
  if (input.has('no-wait') || handed.conf === undefined) {
    if (shown.length > 0) await wipeOnceSaved(context);
    return EXIT.ok;
  }
  return tellHandshake(name, { since, waitMs, shown }, client, context);
}

interface Waiting {
  readonly since: number;
  readonly waitMs: number;
  /** Secrets that stand in the terminal. */
  readonly shown: readonly Handout[];
}

async function tellHandshake(
  name: string,
  { since, waitMs, shown }: Waiting,
  client: Client,
  context: Context,
): Promise<number> {
  const { terminal } = context;
  const paint = painter(terminal.hasColour);
  terminal.note(`Waiting for the handshake of ${name} (Ctrl-C ends the waiting; the device stays) …`);
  const device = await awaitHandshake(name, since, waitMs, client, context);
  // A handshake says that the code was scanned; of onion keys it says nothing.
  const isScanned = device !== undefined && shown.every(({ kind }) => kind === 'wireguard-config');
  if (shown.length > 0 && isScanned) wipe(context);
  else if (shown.length > 0) await wipeOnceSaved(context);
  if (device === undefined) {
    terminal.note(`No handshake of ${name} yet; the device stays added.\nnext: gateway status`);
    return EXIT.undecided;
  }
  const from = device.endpoint === null ? '' : ` from ${plain(device.endpoint)}`;
  terminal.print(paint('green', `${name} is connected: handshake${from} at ${device.latestHandshake ?? ''}`));
  return EXIT.ok;
}

export const deviceList: Command = {
  name: 'device list',
  summary: 'List the devices, their services and last handshakes',
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const { devices } = await client.get<Status>('/v1/status', context.signal);
    show(context, devices, () => renderDevices(devices, Date.now()));
    return EXIT.ok;
  },
};

export const deviceRevoke: Command = {
  name: 'device revoke',
  summary: 'Revoke a device: its session ends at once',
  details: [
    'An onion service that asks for a key takes new introduction points under the same address, so that the device cannot use what it still knows; other visitors of it reconnect within seconds. With --gently nobody else is disturbed, and gateway status says until when the device may still get in.',
  ],
  arguments: [DEVICE],
  options: [
    { name: 'gently', summary: 'Disturb no other device; this one may still get in over Tor for a while' },
  ],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const client = await context.client();
    const path = `/v1/devices/${segment(name)}${input.has('gently') ? '?gently=true' : ''}`;
    const done = await client.send<Taken>('DELETE', path, undefined, context.progress, context.signal);
    const rest = input.has('gently') ? ' for new visits; see gateway status' : '';
    show(context, done, () =>
      [`Revoked ${name}: its keys work no more${rest}.`, ...warnings(done)].join('\n'),
    );
    return EXIT.ok;
  },
};
