import type { Enrolled, Grant, Taken } from '../../core/control.ts';
import { type Command, EXIT, type Input, type Option } from '../command.ts';
import { handOut } from '../enrolment.ts';
import { UsageError } from '../failure.ts';
import { CERTIFICATE_FILE, FILE_OPTIONS } from '../handout-files.ts';
import { ONION_DIR } from '../onion-files.ts';
import { reacherOf, rightOf, rightsOption, servicesOption } from '../parse.ts';
import { wipeOnceSaved } from '../secret-screen.ts';
import { segment, show, warnings } from '../report.ts';

const DEVICE = { name: 'NAME', completion: 'devices', summary: 'Name of the device' } as const;

function grantOptions(service: string, right: string, fromService: string): Option[] {
  return [
    servicesOption(service),
    rightsOption(right),
    { name: 'from-service', value: 'SERVICE:PORT', isRepeatable: true, summary: fromService },
  ];
}

export const deviceGrant: Command = {
  name: 'device grant',
  summary: 'Give a device more services',
  details: [
    'Its WireGuard code leads to every service already, so it needs no new one: it may reach them at once. For an onion service that asks for a key the address is shown; the key that the device has opens that one too. Only where it had no key at all for a way in, one is made and shown, once.',
  ],
  arguments: [DEVICE],
  options: [
    ...grantOptions(
      'A service that it may reach; may be repeated',
      'lnd:unlock: it may open the wallet of an LND that it reaches by a page',
      'A service that may connect to this port of it (webhooks); may be repeated',
    ),
    ONION_DIR,
    CERTIFICATE_FILE,
    ...FILE_OPTIONS,
  ],
  examples: ['gateway device grant alice-phone --service lnd'],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const grant = grantOf(input);
    const client = await context.client();
    const path = `/v1/devices/${segment(name)}/grant`;
    const handed = await handOut(input, context, () =>
      client.send<Enrolled>('POST', path, grant, context.progress, context.signal),
    );
    if (handed === undefined) return EXIT.ok;
    context.terminal.print(reachOf(handed.enrolled));
    const shown = await handed.show();
    if (shown.length > 0) await wipeOnceSaved(context);
    return EXIT.ok;
  },
};

export const deviceUngrant: Command = {
  name: 'device ungrant',
  summary: 'Take services away from a device: what it has open with them ends at once',
  details: [
    'Its other services go on undisturbed. An onion service that asks for a key takes new introduction points under the same address, so that the device cannot use what it still knows; other visitors of it reconnect within seconds. With --gently nobody else is disturbed, and gateway status says until when the device may still get in.',
  ],
  arguments: [DEVICE],
  options: [
    ...grantOptions(
      'A service that it shall not reach any more; may be repeated',
      'A right that it shall not have any more: lnd:unlock',
      'A service that shall not connect to this port of it any more; may be repeated',
    ),
    { name: 'gently', summary: 'Disturb no other device; this one may still get in over Tor for a while' },
  ],
  examples: ['gateway device ungrant alice-phone --service lnd'],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const grant = { ...grantOf(input), ...(input.has('gently') ? { gently: true } : {}) };
    const client = await context.client();
    const path = `/v1/devices/${segment(name)}/ungrant`;
    const done = await client.send<Taken>('POST', path, grant, context.progress, context.signal);
    show(context, done, () => {
      const taken = [
        ...grant.services,
        ...(grant.rights ?? []),
        ...(grant.reachedBy ?? []).map(({ service }) => `${service}’s way to it`),
      ];
      return [`Taken away from ${name}: ${taken.join(', ')}.`, ...warnings(done)].join('\n');
    });
    return EXIT.ok;
  },
};

function grantOf(input: Input): Grant {
  const services = input.list('service');
  const reachedBy = input.list('from-service').map(reacherOf);
  const rights = input.list('right').map(rightOf);
  if (services.length + rights.length + reachedBy.length === 0) {
    throw new UsageError('--service is missing', 'name each service: --service shop');
  }
  const may = rights.length === 0 ? {} : { rights };
  return { services, ...may, ...(reachedBy.length === 0 ? {} : { reachedBy }) };
}

function reachOf({ device, handouts }: Enrolled): string {
  const code = handouts.some(({ secret }) => secret) ? '' : ' It needs no new code.';
  return `${device.name} may reach ${device.services.join(', ')}.${code}`;
}
