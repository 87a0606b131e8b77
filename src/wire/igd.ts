import { printable, type IgdService } from './igd-description.ts';
import { childOf, escapeXml, everyElement, parseXml } from './xml.ts';

/**
 * SOAP of UPnP Internet Gateway Devices (UDA 1.1, section 3): a question with its arguments in order, and what comes back.
 * Pure.
 */
export interface SoapCall {
  /** Value of the SOAPAction header, with the quotes that some routers insist on. */
  readonly soapAction: string;
  readonly body: string;
}

/** Order matters: UPnP names arguments and still counts on their order. */
export type SoapArguments = readonly (readonly [name: string, value: string | number])[];

export type SoapReply =
  | { readonly kind: 'reply'; readonly values: ReadonlyMap<string, string> }
  | { readonly kind: 'fault'; readonly code: number; readonly description: string };

export function encodeCall(
  service: Pick<IgdService, 'type'>,
  action: string,
  input: SoapArguments = [],
): SoapCall {
  const fields = input.map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`).join('');
  return {
    soapAction: `"${service.type}#${action}"`,
    body:
      '<?xml version="1.0"?>\r\n' +
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
      's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
      `<u:${action} xmlns:u="${service.type}">${fields}</u:${action}>` +
      '</s:Body></s:Envelope>\r\n',
  };
}

const MAX_VALUE = 1024;

/** Never throws: `undefined` for what is neither this action's reply nor a fault. */
export function parseSoapReply(text: string, action: string): SoapReply | undefined {
  const envelope = parseXml(text);
  const body = childOf(envelope, 'Body');
  if (envelope?.name !== 'Envelope' || body === undefined) return undefined;
  const fault = childOf(body, 'Fault');
  if (fault !== undefined) {
    const find = (name: string): string =>
      [...everyElement(fault)].find((found) => found.name === name)?.text ?? '';
    const code = /^\d{1,4}$/.exec(find('errorCode'))?.[0];
    return code === undefined
      ? undefined
      : { kind: 'fault', code: Number(code), description: printable(find('errorDescription')) };
  }
  const reply = childOf(body, `${action}Response`);
  if (reply === undefined) return undefined;
  const values = new Map(reply.children.map(({ name, text: value }) => [name, value.slice(0, MAX_VALUE)]));
  return { kind: 'reply', values };
}

/** What the codes mean (WANIPConnection:1 and :2, WANIPv6FirewallControl:1, UDA), for people. */
const FAULTS: Readonly<Record<number, string>> = {
  401: 'it does not know this question',
  402: 'it calls the arguments invalid; some say so of any lease that ends',
  501: 'the action failed; some say so when their outside address is private, or when their table is full',
  600: 'a value is out of range',
  603: 'it is out of memory',
  604: 'it wants a person to step in',
  605: 'a text is too long',
  606: 'it does not allow this: only for the asker itself, or not for this port',
  701: 'there is no such pinhole',
  702: 'its firewall is switched off',
  703: 'its owner switched pinholes off',
  704: 'there is no such pinhole',
  705: 'it does not open pinholes for this protocol',
  706: 'it does not allow a pinhole for every internal port',
  707: 'it does not allow a pinhole for every protocol',
  708: 'it does not allow a pinhole for every remote port',
  709: 'it has seen no packet through this pinhole',
  713: 'there is no entry of this number',
  714: 'there is no such entry',
  715: 'it does not allow every sender',
  716: 'it does not allow every outside port',
  718: 'another host has this port',
  724: 'it wants the same port outside and inside',
  725: 'it knows only mappings without an end',
  726: 'it knows only mappings for every sender',
  727: 'it knows only mappings for every outside port',
  728: 'its table of mappings is full',
  729: 'the port belongs to something else in the router',
  730: 'it knows only mappings for one sender',
  731: 'the address of the mapping is not in its network',
};

/** Half a sentence: '718: another host has this port (ConflictInMappingEntry)'. */
export function explainFault({ code, description }: { code: number; description: string }): string {
  const meaning = FAULTS[code] ?? 'a code that is not in the standard';
  return `${code}: ${meaning}${description === '' ? '' : ` (${description})`}`;
}
