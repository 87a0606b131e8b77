import { existsSync } from 'node:fs';
import { type Command, type Context, EXIT, type Input, type Option } from '../command.ts';
import { renderHomes } from '../render-homes.ts';
import { show } from '../report.ts';

const DEFAULT_STATE = '/var/lib/gateway-relay';

export const STATE: Option = {
  name: 'state',
  value: 'DIR',
  completion: 'file',
  summary: `Directory of the relay's key, invites and homes (STATE_DIRECTORY, or ${DEFAULT_STATE})`,
};

export const relayDown: Command = {
  name: 'relay down',
  summary: 'End the relay of this machine: no visitor is carried any more',
  details: [
    'Its tunnel, rules and HAProxy leave the machine; keys and what homes hold stay, and gateway relay up goes on with them.',
  ],
  arguments: [],
  options: [STATE],
  run: async (input, context) => {
    const { endRelay } = await import('../../relay/root/down.ts');
    const { createLog } = await import('../../system/log.ts');
    await endRelay(input.text('state'), createLog('relay-root', process.env['GATEWAY_LOG']));
    show(context, null, () => 'The relay carries nothing any more.');
    return EXIT.ok;
  },
};

export const relayInvite: Command = {
  name: 'relay invite',
  summary: 'Make an invite for one more home, on the machine of the relay',
  details: [
    'It works once, within a day. Run it as root, or as the user that the relay runs as when it only looks.',
  ],
  arguments: [],
  options: [STATE],
  run: async (input, context) => {
    const invite = await inviteOf(input);
    if (context.isJson) show(context, { invite }, () => '');
    else await drawInvite(invite, context);
    return EXIT.ok;
  },
};

/** Of the relay that runs here; one that only looks has no socket, only its directory. */
async function inviteOf(input: Input): Promise<string> {
  const { relayPlaces } = await import('../../relay/places.ts');
  const { controlSocket } = relayPlaces(input.text('state'));
  if (existsSync(controlSocket)) {
    const { askControl } = await import('../../relay/control.ts');
    return String(await askControl(controlSocket, { ask: 'invite' }));
  }
  const { makeInvite } = await import('../../relay/invites.ts');
  return makeInvite(directoryOf(input), Date.now());
}

export const relayHomes: Command = {
  name: 'relay homes',
  summary: 'List the homes of the relay on this machine, and what it carries for each',
  arguments: [],
  options: [STATE],
  run: async (input, context) => {
    const { askControl, ControlHome } = await import('../../relay/control.ts');
    const { relayPlaces } = await import('../../relay/places.ts');
    const { controlSocket } = relayPlaces(input.text('state'));
    const homes = ControlHome.array().parse(await askControl(controlSocket, { ask: 'homes' }));
    show(context, homes, () => renderHomes(homes));
    return EXIT.ok;
  },
};

export const relayRemoveHome: Command = {
  name: 'relay remove-home',
  summary: 'Cut off a home from the relay on this machine, at once',
  details: ['Its names and ports are free for others then. To come back it needs an invite.'],
  arguments: [{ name: 'HOME', summary: 'What the relay calls it, from gateway relay homes' }],
  options: [STATE],
  run: async (input, context) => {
    const { askControl } = await import('../../relay/control.ts');
    const { relayPlaces } = await import('../../relay/places.ts');
    const { controlSocket } = relayPlaces(input.text('state'));
    const home = input.argument('HOME');
    await askControl(controlSocket, { ask: 'remove', home });
    show(context, { removed: home }, () => `Home ${home} is cut off.`);
    return EXIT.ok;
  },
};

export async function drawInvite(invite: string, { terminal }: Context): Promise<void> {
  const { terminalQr } = await import('../qr.ts');
  terminal.print(terminalQr(invite));
  terminal.print(`At home, within a day: gateway relay join ${invite}`);
}

export function directoryOf(input: Input): string {
  return input.text('state') ?? process.env['STATE_DIRECTORY'] ?? DEFAULT_STATE;
}
