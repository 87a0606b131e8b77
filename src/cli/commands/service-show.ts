import type { PlaceReport } from '../../core/control.ts';
import type { ServiceStatus, Status, Way } from '../../core/status.ts';
import { GatewayError } from '../../core/errors.ts';
import { suggest } from '../../core/suggest.ts';
import { btcpayText } from '../btcpay-text.ts';
import { type Command, EXIT } from '../command.ts';
import { placeText } from '../place-text.ts';
import { segment, show } from '../report.ts';
import { plain } from '../terminal.ts';

export const serviceShow: Command = {
  name: 'service show',
  summary: 'Show one service: its ways in with everything known of them, and where it must run',
  details: ['For BTCPay Server with a page at a public name also what it must be told, as lines to paste.'],
  arguments: [{ name: 'NAME', completion: 'services', summary: 'Name of the service' }],
  options: [],
  examples: ['gateway service show btcpay'],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const client = await context.client();
    const { services } = await client.get<Status>('/v1/status', context.signal);
    const service = services.find((one) => one.name === name);
    if (service === undefined) throw unknownService(name, services);
    const path = `/v1/services/${segment(name)}/place`;
    const place = await client.get<PlaceReport>(path, context.signal);
    show(context, { ...service, place }, () => serviceText(service, place));
    return EXIT.ok;
  },
};

function serviceText(service: ServiceStatus, place: PlaceReport): string {
  const { name, kind, privacy, phase, ways } = service;
  const lines = [
    `${name}: kind ${kind}, privacy ${privacy}, ${phase}`,
    `  ${plain(service.listening.message)}`,
    ...(ways.length === 0 ? ['  no way in; open one: gateway expose'] : ways.flatMap(wayLines)),
  ];
  return [...lines, placeText(place), ...[btcpayText(service) ?? []].flat()].join('\n');
}

function wayLines({ provider, addresses, conditions }: Way): string[] {
  const urls = addresses.map(({ url }) => plain(url)).join(', ') || 'no address yet';
  return [
    '',
    `${provider}: ${urls}`,
    ...conditions.map(({ type, status, message }) => `  ${type} ${status}: ${plain(message)}`),
  ];
}

function unknownService(name: string, services: readonly ServiceStatus[]): GatewayError {
  const meant = suggest(
    name,
    services.map((one) => one.name),
  );
  return new GatewayError(`there is no service "${name}"`, {
    code: 'ServiceUnknown',
    hint: meant === undefined ? 'see gateway service list' : `did you mean ${meant}?`,
  });
}
