import { z } from 'zod';
import type { DeviceStatus, ServiceStatus, Status, Way } from './status.ts';

/** Every way in that one device may use, for a person to keep where nothing works any more. Pure. */

const CardWay = z.object({
  provider: z.string(),
  url: z.string(),
  clientNeeds: z.array(z.string()),
  /** ISO 8601 time of the last visit that proved it; `null`: never. */
  provedAt: z.string().nullable(),
  isInUse: z.boolean(),
});
type CardWay = z.infer<typeof CardWay>;

export const DeviceCard = z.object({
  device: z.string(),
  /** ISO 8601 */
  at: z.string(),
  services: z.array(z.object({ name: z.string(), ways: z.array(CardWay) })),
  /** The same for people, and what `code` is made of. */
  text: z.string(),
  /** Made with a key that the device and this home share; `null` where they share none. */
  code: z.string().nullable(),
});
export type DeviceCard = z.infer<typeof DeviceCard>;

/** What was made of a card's text; `isGenuine`: this home wrote it, for this device. */
export const CardCheck = z.object({ isGenuine: z.boolean() });
export type CardCheck = z.infer<typeof CardCheck>;

/** Only services that it was given, and ways that were accepted and that it holds the keys for; first choice first. */
export function cardOf({ services }: Status, device: DeviceStatus, at: string): Omit<DeviceCard, 'code'> {
  const own = services
    .filter(({ name }) => device.services.includes(name))
    .map((service) => ({ name: service.name, ways: waysFor(service, device) }));
  return { device: device.name, at, services: own, text: textOf(device.name, at, own) };
}

function waysFor({ ways, fallback }: ServiceStatus, device: DeviceStatus): CardWay[] {
  const order = fallback?.order ?? [];
  const rank = ({ provider }: Way): number => (order.indexOf(provider) + order.length) % (order.length || 1);
  return [...ways]
    .filter(({ phase, provider }) => phase !== 'rejected' && order.includes(provider))
    .sort((a, b) => rank(a) - rank(b))
    .flatMap(({ provider, addresses, provedAt }) =>
      addresses
        .filter((address) => holdsKeyFor(address, device))
        .map(({ url, clientNeeds }) => ({
          provider,
          url,
          clientNeeds: [...clientNeeds],
          provedAt,
          isInUse: provider === fallback?.way,
        })),
    );
}

function holdsKeyFor({ network, clientNeeds }: Way['addresses'][number], device: DeviceStatus): boolean {
  if (network === 'vpn') return device.publicKey !== null;
  return device.onionKey !== null || !clientNeeds.includes('the key of a device that was added');
}

function textOf(device: string, at: string, services: DeviceCard['services']): string {
  const time = (iso: string): string => `${iso.slice(0, 16).replace('T', ' ')} UTC`;
  const lines = services.flatMap(({ name, ways }) => [
    '',
    name,
    ...(ways.length === 0 ? ['  no way in for this device'] : []),
    ...ways.flatMap(({ provider, url, clientNeeds, provedAt, isInUse }, index) => [
      `  ${index + 1}. ${url}`,
      `     ${provider}${isInUse ? ', in use' : ''}; needs ${clientNeeds.join(' and ')}`,
      `     ${provedAt === null ? 'never proved from outside' : `last proved from outside ${time(provedAt)}`}`,
    ]),
  ]);
  return [`Ways in for ${device}, as of ${time(at)}. Try them from the top.`, ...lines, ''].join('\n');
}
