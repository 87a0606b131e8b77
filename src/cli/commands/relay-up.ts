import { isHostName, isIpv6, parseEndpoint, parseIpv4 } from '../../core/inet.ts';
import type { RelayUp } from '../../relay/main.ts';
import { type Command, type Context, EXIT, type Input, type Option } from '../command.ts';
import { UsageError } from '../failure.ts';
import { show } from '../report.ts';
import { packageVersion } from './help.ts';

const DEFAULT_PORT = 7443;
const DEFAULT_STATE = '/var/lib/gateway-relay';

const STATE: Option = {
  name: 'state',
  value: 'DIR',
  completion: 'file',
  summary: `Directory of the relay's key, invites and homes (STATE_DIRECTORY, or ${DEFAULT_STATE})`,
};

export const relayUp: Command = {
  name: 'relay up',
  summary: 'Run a relay on this machine, in the foreground; needs no root',
  details: [
    'A relay stands outside, on a rented machine, and looks from there whether the ways in of homes that joined it work. With a second address it dials from that one, as a stranger would.',
    'While no home has joined it prints an invite, which works once, within a day. Every question is logged on stderr.',
  ],
  arguments: [],
  options: [
    { name: 'probe-only', summary: 'Carry nothing, only look: the part of a relay that is there' },
    {
      name: 'listen',
      value: 'ADDRESS:PORT',
      isRepeatable: true,
      summary: `Address of this machine and TCP port; may be repeated with the same port (every public one, ${DEFAULT_PORT})`,
    },
    { name: 'public', value: 'HOST', summary: 'Name or address that homes are to dial (the first address)' },
    STATE,
  ],
  examples: ['gateway relay up --probe-only --listen 11.1.0.2:7443 --listen 11.1.0.3:7443'],
  run: async (input, context) => {
    if (!input.has('probe-only')) {
      throw new UsageError(
        '--probe-only is missing: a relay of this version carries no visitors',
        'gateway relay up --probe-only',
      );
    }
    const { addresses, port } = placesOf(input.list('listen'));
    const publicHost = input.text('public');
    if (publicHost !== undefined && !isHost(publicHost)) {
      throw new UsageError(`--public is "${publicHost}", expected a name or an address, without a port`);
    }
    const { runRelay } = await import('../../relay/main.ts');
    const { createLog } = await import('../../system/log.ts');
    const log = createLog('relay', process.env['GATEWAY_LOG']);
    const directory = directoryOf(input);
    const version = packageVersion();
    const options = { directory, addresses, port, publicHost, version, log, signal: context.signal };
    await runRelay(options, (up) => void tell(up, context));
    return EXIT.ok;
  },
};

export const relayInvite: Command = {
  name: 'relay invite',
  summary: 'Make an invite for one more home, on the machine of the relay',
  details: ['It works once, within a day. Run it as the user that the relay runs as.'],
  arguments: [],
  options: [STATE],
  run: async (input, context) => {
    const { makeInvite } = await import('../../relay/main.ts');
    const invite = await makeInvite(directoryOf(input), Date.now());
    if (context.isJson) show(context, { invite }, () => '');
    else await drawInvite(invite, context);
    return EXIT.ok;
  },
};

function isHost(text: string): boolean {
  return isHostName(text) || isIpv6(text) || parseIpv4(text) !== undefined;
}

async function tell(up: RelayUp, context: Context): Promise<void> {
  if (context.isJson) return show(context, up, () => '');
  context.terminal.print(`The relay listens on ${up.listening.join(', ')}.`);
  if (up.invite === null) {
    const homes = up.homes === 1 ? 'One home has' : `${up.homes} homes have`;
    context.terminal.print(`${homes} joined; for another: gateway relay invite`);
  } else await drawInvite(up.invite, context);
}

async function drawInvite(invite: string, { terminal }: Context): Promise<void> {
  const { terminalQr } = await import('../qr.ts');
  terminal.print(terminalQr(invite));
  terminal.print(`At home, within a day: gateway relay join ${invite}`);
}

function directoryOf(input: Input): string {
  return input.text('state') ?? process.env['STATE_DIRECTORY'] ?? DEFAULT_STATE;
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
