import { childOf, everyElement, parseXml, textOf, type XmlElement } from './xml.ts';

/**
 * The description of a UPnP device (UDA 1.1, section 2): who it is, and where its services are controlled. Pure.
 */

/** A place on the router that was asked. No host: whatever a description names, nobody else is ever spoken to. */
export interface RouterPlace {
  readonly port: number;
  /** With the query; begins with `/`. */
  readonly path: string;
}

export const IGD_SERVICES = ['WANIPConnection', 'WANPPPConnection', 'WANIPv6FirewallControl'] as const;
export type IgdServiceName = (typeof IGD_SERVICES)[number];

export interface IgdService {
  readonly name: IgdServiceName;
  readonly version: number;
  /** `urn:schemas-upnp-org:service:WANIPConnection:1`, as the router writes it: it wants the same back. */
  readonly type: string;
  readonly control: RouterPlace;
}

export interface IgdDescription {
  /** For people: 'FRITZ!Box 7590', without control characters; empty when it says nothing. */
  readonly friendlyName: string;
  readonly manufacturer: string;
  readonly model: string;
  /** Its page for people, on the router itself; `undefined` when there is none. */
  readonly presentation: RouterPlace | undefined;
  /** `uuid:…` */
  readonly udn: string;
  /** In the order of the document. */
  readonly services: readonly IgdService[];
}

const MAX_SERVICES = 16;

/**
 * Never throws: `undefined` for what is no device description. `location` is the URL that it was read from. A description
 * without any of our services (a media server's) is one with an empty list.
 */
export function parseDescription(text: string, location: string): IgdDescription | undefined {
  const root = parseXml(text);
  const device = childOf(root, 'device');
  if (root === undefined || device === undefined) return undefined;
  const base =
    parsePlace(textOf(root, 'URLBase'), undefined) === undefined ? location : textOf(root, 'URLBase');
  const services = [...everyElement(device)]
    .filter(({ name }) => name === 'service')
    .flatMap((element) => serviceOf(element, base) ?? [])
    .slice(0, MAX_SERVICES);
  const presentation = textOf(device, 'presentationURL');
  return {
    friendlyName: printable(textOf(device, 'friendlyName')),
    manufacturer: printable(textOf(device, 'manufacturer')),
    model: printable(`${textOf(device, 'modelName')} ${textOf(device, 'modelNumber')}`),
    presentation: presentation === '' ? undefined : parsePlace(presentation, base),
    udn: printable(textOf(device, 'UDN')),
    services,
  };
}

function serviceOf(element: XmlElement, base: string): IgdService | undefined {
  const type = textOf(element, 'serviceType');
  const [, name, version] = /^urn:[\w.-]{1,60}:service:(\w{1,40}):(\d{1,2})$/.exec(type) ?? [];
  const known = IGD_SERVICES.find((candidate) => candidate === name);
  const control = parsePlace(textOf(element, 'controlURL'), base);
  if (known === undefined || control === undefined) return undefined;
  return { name: known, version: Number(version), type, control };
}

/**
 * Port and path of a URL, absolute or relative to `base`. Its host is dropped on purpose: some routers name an address
 * that they had once (tailscale #5502), and a hostile one would name a third party.
 */
export function parsePlace(url: string, base: string | undefined): RouterPlace | undefined {
  if (url === '' || url.length > 512 || !URL.canParse(url, base)) return undefined;
  const { protocol, port, pathname, search } = new URL(url, base);
  if (protocol !== 'http:' || port === '0') return undefined;
  return { port: port === '' ? 80 : Number(port), path: `${pathname}${search}` };
}

const MAX_SHOWN = 80;

/** What a router says of itself, fit for a terminal: one line, no control or direction marks, bounded. */
export function printable(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_SHOWN);
}
