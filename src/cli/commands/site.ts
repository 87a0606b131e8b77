import type { DeviceCard } from '../../core/card.ts';
import type { Enrolled } from '../../core/control.ts';
import { GatewayError } from '../../core/errors.ts';
import { parseConf } from '../../wire/wireguard.ts';
import { renderSite, SITE_FORMATS, siteFileNames, type SiteFormat } from '../../wire/wireguard-site.ts';
import type { Client } from '../client.ts';
import { type Command, EXIT } from '../command.ts';
import { UsageError } from '../failure.ts';
import { reacherOf, servicesOption } from '../parse.ts';
import { reserveFile } from '../handout-files.ts';
import { segment, show } from '../report.ts';
import { type ReservedSite, reserveIn } from '../site-files.ts';
import { plain } from '../terminal.ts';

/** An interface's name ends at 15 characters. */
const LONGEST_NAME = 15;

const WHERE: Readonly<Record<SiteFormat, string>> = {
  'wg-quick': 'On the server: put it into /etc/wireguard, then systemctl enable --now wg-quick@NAME',
  networkd:
    'On the server: put both into /etc/systemd/network, with group systemd-network and mode 0640, then networkctl reload',
  nixos: 'On the server: put the key files into /etc/wireguard and import NAME.nix in configuration.nix',
};

export const siteAdd: Command = {
  name: 'site add',
  summary: 'Let a server of yours in, and write the files that it needs',
  details: [
    'A site is a device that is a server: it reaches exactly the services that it was given, and nothing reaches it but what --from-service names. List and revoke it like every device: gateway device list, gateway device revoke NAME.',
    'The files hold keys that are not kept: readable by you alone, they are written once. With --public-key the server keeps its private key to itself (wg genkey | tee NAME.key | wg pubkey).',
  ],
  arguments: [{ name: 'NAME', summary: 'Its name, and that of its interface: at most 15 characters' }],
  options: [
    servicesOption('A service that it may reach; may be repeated'),
    {
      name: 'format',
      value: 'FORMAT',
      completion: SITE_FORMATS,
      summary: 'wg-quick (default), networkd or nixos',
    },
    {
      name: 'from-service',
      value: 'SERVICE:PORT',
      isRepeatable: true,
      summary: 'A service that may connect to this port of it (webhooks), at http://NAME:PORT',
    },
    { name: 'public-key', value: 'KEY', summary: 'Public WireGuard key that the server made itself' },
    {
      name: 'bundle',
      value: 'FILE',
      completion: 'file',
      summary: 'Write every way in that it may use, for gateway site join there',
    },
    {
      name: 'dir',
      value: 'DIR',
      completion: 'file',
      summary: 'Where to write the files; here when left out',
    },
  ],
  examples: [
    'gateway site add webshop --service btcpay',
    'gateway site add webshop -s lnd --format networkd',
    'gateway site add webshop -s btcpay --bundle webshop.site',
  ],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const services = input.list('service');
    const format = formatOf(input.text('format') ?? 'wg-quick');
    const publicKey = input.text('public-key');
    if (services.length === 0) {
      throw new UsageError('--service is missing', 'name each service that it may reach: --service btcpay');
    }
    if (name.length > LONGEST_NAME) {
      throw new UsageError(`${name} is longer than ${LONGEST_NAME} characters`, 'choose a shorter name');
    }
    const reachedBy = input.list('from-service').map(reacherOf);
    const names = siteFileNames(format, name, publicKey === undefined);
    const client = await context.client();
    const bundleFile = input.text('bundle');
    const bundle = await reserveFile(bundleFile);
    let files: ReservedSite | undefined;
    try {
      files = await reserveIn(input.text('dir') ?? '.', names);
      const draft = {
        name,
        services,
        ...(publicKey === undefined ? {} : { publicKey }),
        ...(reachedBy.length === 0 ? {} : { reachedBy }),
      };
      const { progress, signal } = context;
      const enrolled = await client.send<Enrolled>('POST', '/v1/devices', draft, progress, signal);
      const written = [
        ...(await files.fill(renderSite(format, name, confOf(enrolled)))),
        ...(bundleFile === undefined ? [] : await bundle.fill(await bundleText(enrolled, client, signal))),
      ];
      show(context, { device: enrolled.device, files: written }, () =>
        [
          `Written, readable by you alone: ${written.join(', ')}`,
          ...(publicKey === undefined ? [] : [keyAdvice(format, name)]),
          WHERE[format].replaceAll('NAME', name),
          ...(bundleFile === undefined
            ? []
            : [`And there, once the tunnel is up: gateway site join ${bundleFile}`]),
          ...enrolled.notices.map((notice) => `! ${plain(notice)}`),
        ].join('\n'),
      );
      return EXIT.ok;
    } finally {
      await bundle.release();
      await files?.release();
    }
  },
};

async function bundleText(
  { device, handouts }: Enrolled,
  client: Client,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { bundleOf } = await import('../../core/site-bundle.ts');
  const { renderBundle } = await import('../site-bundle-file.ts');
  const card = await client.get<DeviceCard>(`/v1/devices/${segment(device.name)}/card`, signal);
  return Buffer.from(renderBundle(bundleOf(card, handouts)));
}

function keyAdvice(format: SiteFormat, name: string): string {
  if (format === 'wg-quick')
    return 'Its private key is on the server: add it under [Interface], as PrivateKey = …';
  const directory = format === 'networkd' ? '/etc/systemd/network' : '/etc/wireguard';
  return `Its private key is on the server: put it into ${directory}/${name}.key`;
}

function formatOf(text: string): SiteFormat {
  const format = SITE_FORMATS.find((each) => each === text);
  if (format !== undefined) return format;
  throw new UsageError(`there is no format ${text}`, `choose one of ${SITE_FORMATS.join(', ')}`);
}

function confOf({ handouts, device }: Enrolled) {
  const text = handouts.find(({ kind }) => kind === 'wireguard-config')?.text ?? '';
  const conf = parseConf(text);
  if (conf !== undefined) return conf;
  throw new GatewayError(`the gateway handed out no WireGuard configuration for ${device.name}`, {
    code: 'NotSupported',
    hint: `its services are not exposed through WireGuard; take it back: gateway device revoke ${device.name}`,
  });
}
