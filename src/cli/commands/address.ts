import type { AddressStatus } from '../../core/status.ts';
import { type Command, EXIT } from '../command.ts';
import { renderAddress } from '../render-lists.ts';
import { show } from '../report.ts';

export const address: Command = {
  name: 'address',
  summary: 'Show at which public address this home is, and who says so',
  details: [
    'Told by the relays that were joined, by the STUN servers in gateway.yaml, by the router, and by interfaces of this machine. Where they differ, another NAT stands outside the router, or there are two lines.',
    'Exit code 3: nobody knows one.',
  ],
  arguments: [],
  options: [
    { name: 'nat', summary: 'Also find out, with a relay, how the NATs on the way behave (some seconds)' },
  ],
  run: async (input, context) => {
    const client = await context.client();
    const path = `/v1/address${input.has('nat') ? '?nat=true' : ''}`;
    const found = await client.get<AddressStatus>(path, context.signal);
    show(context, found, () => renderAddress(found, input.has('nat')));
    return found.ipv4 === null ? EXIT.undecided : EXIT.ok;
  },
};
