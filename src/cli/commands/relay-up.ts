import { extname, join } from 'node:path';
import { isHostName, isIpv6, parseEndpoint, parseIpv4 } from '../../core/inet.ts';
import type { RelayOptions, RelayUp } from '../../relay/main.ts';
import type { Argv } from '../../system/run.ts';
import { type Command, type Context, EXIT, type Input, type Option } from '../command.ts';
import { UsageError } from '../failure.ts';
import { show } from '../report.ts';
import { packageVersion } from './help.ts';
import { directoryOf, drawInvite, STATE } from './relay-machine.ts';

export const DEFAULT_PORT = 7443;
const TLS_PORT = 443;
const HTTP_PORT = 80;
const WIREGUARD_PORT = 51_820;

const LISTEN: Option = {
  name: 'listen',
  value: 'ADDRESS:PORT',
  isRepeatable: true,
  summary: `Address of this machine and TCP port for homes; may be repeated with the same port (every public one, ${DEFAULT_PORT})`,
};
const PUBLIC: Option = {
  name: 'public',
  value: 'HOST',
  summary: 'Name or address that homes are to dial (the first address)',
};

export const CARRYING: readonly Option[] = [
  {
    name: 'tls-port',
    value: 'PORT',
    summary: `TCP port for visitors of web names, where another program has ${TLS_PORT}`,
  },
  {
    name: 'http-port',
    value: 'PORT',
    summary: `TCP port for visitors without TLS and for challenges (${HTTP_PORT}); 0: none`,
  },
  {
    name: 'else',
    value: 'HOST:PORT',
    summary: 'Where visitors of all other names go, untouched: a web server of this machine on another port',
  },
];

export const relayUp: Command = {
  name: 'relay up',
  summary: 'Run a relay on this machine, in the foreground',
  details: [
    'A relay stands outside, on a rented machine. It passes visitors of web names and ports on to the homes that joined it, through a tunnel of WireGuard, and can read nothing: TLS ends at home. And it looks from outside whether the ways in of those homes work; with a second address it dials from that one, as a stranger would.',
    'Carrying needs root, and the users gateway and gateway-edge; what faces the network runs as user gateway. What carries visitors goes on when this command ends; gateway relay down ends it. With --probe-only it needs no root and only looks.',
    'While no home has joined it prints an invite, which works once, within a day. Every question is logged on stderr.',
  ],
  arguments: [],
  options: [{ name: 'probe-only', summary: 'Carry nothing, only look' }, LISTEN, PUBLIC, ...CARRYING, STATE],
  examples: ['sudo gateway relay up', 'gateway relay up --probe-only --listen 11.1.0.2:7443'],
  run: async (input, context) => {
    if (!input.has('probe-only')) return carry(input, context);
    for (const { name } of CARRYING) {
      if (input.has(name)) throw new UsageError(`--${name} is for a relay that carries visitors`);
    }
    await face(input, context, { directory: directoryOf(input) });
    return EXIT.ok;
  },
};

export const relayInstall: Command = {
  name: 'relay install',
  summary: 'Make this machine a relay, now and whenever it starts, and print an invite',
  details: [
    'Copies this program to /opt/gateway/versions, makes the users gateway, gateway-tor and gateway-edge, and writes gateway-relay.service for systemd, which runs gateway relay up with the same options. Doing it again changes what is different; visitors do not notice. gateway uninstall removes it.',
  ],
  arguments: [],
  options: [
    LISTEN,
    PUBLIC,
    ...CARRYING,
    {
      name: 'destdir',
      value: 'DIR',
      completion: 'file',
      summary: 'Write below DIR, for a package; no users, no systemd',
    },
  ],
  examples: [
    'sudo gateway relay install',
    'sudo gateway relay install --tls-port 8443 --public vps.example.net',
  ],
  run: async (input, context) => {
    carryingOf(input);
    const { installRelay } = await import('../install/relay.ts');
    return installRelay(input, wordsOf(input), context);
  },
};

/** What was typed of the options that `relay up` has, too. */
export function wordsOf(input: Input): string[] {
  return ['listen', 'public', ...CARRYING.map(({ name }) => name)].flatMap((name) =>
    input.list(name).flatMap((value) => [`--${name}`, value]),
  );
}

export const relayServe: Command = {
  name: 'relay serve',
  summary: 'The part of a relay that faces the network; gateway relay up starts it, as user gateway',
  isHidden: true,
  arguments: [],
  options: [LISTEN, PUBLIC, STATE],
  run: async (input, context) => {
    const { relayPlaces } = await import('../../relay/places.ts');
    const places = relayPlaces(input.text('state'));
    await face(input, context, { directory: places.members, carries: places });
    return EXIT.ok;
  },
};

async function face(
  input: Input,
  context: Context,
  how: Pick<RelayOptions, 'directory' | 'carries'>,
): Promise<void> {
  const { addresses, port } = placesOf(input.list('listen'));
  const publicHost = publicHostOf(input);
  const { runRelay } = await import('../../relay/main.ts');
  const { createLog } = await import('../../system/log.ts');
  const log = createLog('relay', process.env['GATEWAY_LOG']);
  const version = packageVersion();
  const options = { ...how, addresses, port, publicHost, version, log, signal: context.signal };
  await runRelay(options, (up) => void tell(up, context));
}

function publicHostOf(input: Input): string | undefined {
  const host = input.text('public');
  if (host === undefined || isHost(host)) return host;
  throw new UsageError(`--public is "${host}", expected a name or an address, without a port`);
}

/** Everything that was typed, checked. */
export function carryingOf(input: Input) {
  publicHostOf(input);
  const other = input.text('else');
  if (other !== undefined && parseEndpoint(other) === undefined) {
    throw new UsageError(`--else is "${other}", expected HOST:PORT, like 127.0.0.1:8443`);
  }
  const httpPort = portOf(input, 'http-port') ?? HTTP_PORT;
  const tlsPort = portOf(input, 'tls-port') ?? TLS_PORT;
  if (tlsPort === 0) throw new UsageError('--tls-port is 0, expected a port');
  const { addresses } = placesOf(input.list('listen'));
  return { addresses, other, tlsPort, httpPort: httpPort === 0 ? null : httpPort };
}

/** As root; the other part is this same program, as another user. */
async function carry(input: Input, context: Context): Promise<number> {
  const { addressesFor } = await import('../../relay/main.ts');
  const { runRelayRoot } = await import('../../relay/root/main.ts');
  const { createLog } = await import('../../system/log.ts');
  const { addresses, ...carrying } = carryingOf(input);
  const state = input.text('state');
  const handed = [
    ...input.list('listen').flatMap((each) => ['--listen', each]),
    ...['public', 'state'].flatMap((name) => {
      const value = input.text(name);
      return value === undefined ? [] : [`--${name}`, value];
    }),
  ];
  const json = context.isJson ? ['--json'] : [];
  const front = [process.execPath, ...process.execArgv, mainFile(), ...json, 'relay', 'serve', ...handed];
  await runRelayRoot({
    state,
    addresses: addressesFor(addresses),
    ...carrying,
    wireguardPort: WIREGUARD_PORT,
    front: front as unknown as Argv,
    log: createLog('relay-root', process.env['GATEWAY_LOG']),
    signal: context.signal,
  });
  return EXIT.ok;
}

function mainFile(): string {
  return join(import.meta.dirname, '..', `main${extname(import.meta.filename)}`);
}

function portOf(input: Input, name: string): number | undefined {
  const text = input.text(name);
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^[0-9]{1,5}$/.test(text) && port <= 65535) return port;
  throw new UsageError(`--${name} is "${text}", expected a port`);
}

function isHost(text: string): boolean {
  return isHostName(text) || isIpv6(text) || parseIpv4(text) !== undefined;
}

async function tell(up: RelayUp, context: Context): Promise<void> {
  if (context.isJson) return show(context, up, () => '');
  context.terminal.print(`The relay listens on ${up.listening.join(', ')}.`);
  // Else it would stand in the journal; gateway relay install asks for one.
  if (process.env['GATEWAY_SUPERVISOR'] === 'systemd') return;
  if (up.invite === null) {
    const homes = up.homes === 1 ? 'One home has' : `${up.homes} homes have`;
    context.terminal.print(`${homes} joined; for another: gateway relay invite`);
  } else await drawInvite(up.invite, context);
}

function placesOf(typed: readonly string[]): { addresses: string[]; port: number } {
  const places = typed.map((text) => {
    const endpoint = parseEndpoint(text);
    if (endpoint !== undefined && endpoint.type !== 'name') return endpoint;
    throw new UsageError(`--listen is "${text}", expected ADDRESS:PORT, like 11.1.0.2:${DEFAULT_PORT}`);
  });
  const ports = new Set(places.map(({ port }) => port));
  if (ports.size > 1) throw new UsageError('--listen names several ports', 'give every address the same one');
  return { addresses: places.map(({ host }) => host), port: places[0]?.port ?? DEFAULT_PORT };
}
