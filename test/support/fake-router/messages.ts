import type { Description } from './script.ts';

/** What a fake router writes. */
export const IGD_DEVICE = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1';
export const CONNECTION = 'urn:schemas-upnp-org:service:WANIPConnection:1';

export function descriptionText(description: Description): string {
  const { services, urlBase, friendlyName = 'Fake router', suffix = '', prefix = '' } = description;
  const list = services
    .map(
      ({ type, control }) =>
        `<service><serviceType>${type}</serviceType><serviceId>urn:upnp-org:serviceId:x</serviceId>` +
        `<controlURL>${control}</controlURL><eventSubURL>/evt</eventSubURL><SCPDURL>/scpd.xml</SCPDURL></service>`,
    )
    .join('');
  const base = urlBase === undefined ? '' : `<URLBase>${urlBase}</URLBase>`;
  return (
    `${prefix}<?xml version="1.0"?>\r\n<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major>` +
    `<minor>0</minor></specVersion>${base}<device><deviceType>${IGD_DEVICE}</deviceType>` +
    `<friendlyName>${friendlyName}</friendlyName><manufacturer>Nobody</manufacturer><modelName>Fake</modelName>` +
    `<modelNumber>1</modelNumber><UDN>uuid:fake</UDN><deviceList><device><deviceList><device><serviceList>${list}` +
    `</serviceList></device></deviceList></device></deviceList></device></root>${suffix}`
  );
}

export function replyText(action: string, values: Readonly<Record<string, string | number>>): string {
  const inside = Object.entries(values)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join('');
  return envelope(`<u:${action}Response xmlns:u="${CONNECTION}">${inside}</u:${action}Response>`);
}

export function faultText(code: number, text: string): string {
  return envelope(
    '<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>' +
      `<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode>` +
      `<errorDescription>${text}</errorDescription></UPnPError></detail></s:Fault>`,
  );
}

function envelope(inside: string): string {
  return (
    '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    `s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>${inside}</s:Body></s:Envelope>\r\n`
  );
}

export function answerText(target: string, location: string, bootId: number): string {
  return [
    'HTTP/1.1 200 OK',
    'CACHE-CONTROL: max-age=120',
    `ST: ${target}`,
    `USN: uuid:fake::${target}`,
    'EXT:',
    'SERVER: Fake/1 UPnP/1.1 Fake/1',
    `LOCATION: ${location}`,
    `BOOTID.UPNP.ORG: ${bootId}`,
    'CONFIGID.UPNP.ORG: 1',
    '',
    '',
  ].join('\r\n');
}

export function notifyText(kind: 'alive' | 'byebye', location: string, bootId: number): string {
  return [
    'NOTIFY * HTTP/1.1',
    'HOST: 239.255.255.250:1900',
    `NT: ${IGD_DEVICE}`,
    `NTS: ssdp:${kind}`,
    `USN: uuid:fake::${IGD_DEVICE}`,
    `LOCATION: ${location}`,
    `BOOTID.UPNP.ORG: ${bootId}`,
    '',
    '',
  ].join('\r\n');
}
