import type { UpReport } from '../../core/control.ts';
import type { RelayStatus } from '../../core/status.ts';
import { type Command, EXIT } from '../command.ts';
import { renderRelays } from '../render-lists.ts';
import { segment, show, showUp } from '../report.ts';

export const relayJoin: Command = {
  name: 'relay join',
  summary: 'Join a relay, which then looks from outside whether ways in work',
  details: [
    'An invite works once. The relay learns the address of this home, and dials nothing but it; it learns no key, no name and no service.',
  ],
  arguments: [{ name: 'INVITE', summary: 'As the relay printed it: gateway-relay://…' }],
  options: [{ name: 'name', value: 'NAME', summary: 'What it is called here (relay-1)' }],
  run: async (input, context) => {
    const client = await context.client();
    const name = input.text('name');
    const draft = { invite: input.argument('INVITE'), ...(name === undefined ? {} : { name }) };
    const { progress, signal } = context;
    const relay = await client.send<RelayStatus>('POST', '/v1/relays', draft, progress, signal);
    show(context, relay, () => `Joined ${relay.name}.\n${renderRelays([relay])}`);
    return exitCodeFor([relay]);
  },
};

export const relayList: Command = {
  name: 'relay list',
  summary: 'List the relays that were joined; each is asked how it is',
  details: ['Exit code: 0 all answered, 1 one did not.'],
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const relays = await client.get<RelayStatus[]>('/v1/relays', context.signal);
    show(context, relays, () => renderRelays(relays));
    return exitCodeFor(relays);
  },
};

function exitCodeFor(relays: readonly RelayStatus[]): number {
  return relays.every(({ state }) => state === 'up') ? EXIT.ok : EXIT.warnings;
}

export const relayRotate: Command = {
  name: 'relay rotate',
  summary: 'Replace the key of this end of the tunnel to a relay, at once',
  details: ['The relay takes the old key no more. Visitors wait for about a second, and lose no connection.'],
  arguments: [{ name: 'NAME', summary: 'Name of the relay, from gateway relay list' }],
  options: [],
  run: async (input, context) => {
    const client = await context.client();
    const path = `/v1/relays/${segment(input.argument('NAME'))}/rotate`;
    const { progress, signal } = context;
    const relay = await client.send<RelayStatus>('POST', path, undefined, progress, signal);
    show(context, relay, () => `The tunnel to ${relay.name} has another key.\n${renderRelays([relay])}`);
    return exitCodeFor([relay]);
  },
};

export const relayRemove: Command = {
  name: 'relay remove',
  summary: 'Leave a relay and forget its key',
  arguments: [{ name: 'NAME', summary: 'Name of the relay, from gateway relay list' }],
  options: [],
  run: async (input, context) => {
    const client = await context.client();
    const path = `/v1/relays/${segment(input.argument('NAME'))}`;
    const { progress, signal } = context;
    return showUp(context, await client.send<UpReport>('DELETE', path, undefined, progress, signal));
  },
};
