import { formatEndpoint } from '../../core/inet.ts';
import type { RelayStatus } from '../../core/status.ts';
import { type Command, EXIT } from '../command.ts';
import { UsageError } from '../failure.ts';
import { renderRelays } from '../render-lists.ts';
import { show } from '../report.ts';
import { CARRYING, carryingOf, DEFAULT_PORT as RELAY_PORT, wordsOf } from './relay-up.ts';

export const relayAdd: Command = {
  name: 'relay add',
  summary: 'Make a rented machine a relay by ssh, and join it',
  details: [
    'Uses your own ssh, with its keys and what it knows of hosts. Brings this program to the machine, installs what it lacks of haproxy, nftables, wireguard-tools and conntrack (apt-get), runs gateway relay install there, and joins with the invite. Doing it again brings a newer version.',
  ],
  arguments: [{ name: 'PLACE', summary: 'ssh://root@HOST or ssh://root@HOST:PORT; homes dial this HOST' }],
  options: [{ name: 'name', value: 'NAME', summary: 'What it is called here (relay-1)' }, ...CARRYING],
  examples: ['gateway relay add ssh://root@vps.example.net'],
  run: async (input, context) => {
    const { parseFarPlace } = await import('../install/far.ts');
    const typed = input.argument('PLACE');
    const place = parseFarPlace(typed);
    if (place === undefined) throw new UsageError(`"${typed}" is no place, expected ssh://root@HOST`);
    carryingOf(input);
    const { progress, signal } = context;
    // First, so that nothing is changed there when there is nobody here who could join.
    const client = await context.client();
    const address = formatEndpoint({ host: place.host, port: RELAY_PORT });
    const listed = await client.get<RelayStatus[]>('/v1/relays', signal);
    const known = listed.find((relay) => relay.address === address && relay.state !== 'refused');
    const { installFar } = await import('../install/relay-add.ts');
    const words = ['--public', place.host, ...wordsOf(input)];
    const invite = await installFar({ place, words, isInvited: known === undefined, progress, signal });
    const name = input.text('name');
    const draft = { invite, ...(name === undefined ? {} : { name }) };
    const relay = known ?? (await client.send<RelayStatus>('POST', '/v1/relays', draft, progress, signal));
    const how = known === undefined ? 'joined as' : 'and was joined before as';
    show(context, relay, () => `${place.host} is a relay, ${how} ${relay.name}.\n${renderRelays([relay])}`);
    return relay.state === 'up' ? EXIT.ok : EXIT.warnings;
  },
};
