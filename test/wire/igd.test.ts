import { expect, it } from 'vitest';
import { parseDescription, parsePlace, printable } from '../../src/wire/igd-description.ts';
import {
  addArguments,
  isPinholeClient,
  parseConnectionType,
  parseEntry,
  parseExternalAddress,
  parseFirewallStatus,
  parseIsWorking,
  parsePinholeId,
  parseReservedPort,
  parseSpecificEntry,
  parseStatus,
  pinholeArguments,
} from '../../src/wire/igd-mapping.ts';
import { encodeCall, explainFault, parseSoapReply } from '../../src/wire/igd.ts';
import { parseXml, textOf } from '../../src/wire/xml.ts';
import { mutations } from '../support/mutations.ts';

const LOCATION = 'http://192.168.1.1:49000/igddesc.xml';
const service = (type: string, control: string): string =>
  `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType><serviceId>urn:x</serviceId>` +
  `<controlURL>${control}</controlURL><eventSubURL>/evt</eventSubURL><SCPDURL>/scpd.xml</SCPDURL></service>`;
const DESCRIPTION = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<friendlyName>FRITZ!Box 7590</friendlyName><manufacturer>AVM</manufacturer><modelName>FRITZ!Box</modelName>
<modelNumber>7590</modelNumber><UDN>uuid:75802409-bccb</UDN><presentationURL>http://fritz.box</presentationURL>
<serviceList>${service('Layer3Forwarding:1', '/l3f')}</serviceList>
<deviceList><device><serviceList>${service('WANCommonInterfaceConfig:1', '/ifc')}</serviceList>
<deviceList><device><serviceList>
${service('WANIPConnection:1', '/igdupnp/control/WANIPConn1')}
${service('WANIPv6FirewallControl:1', 'control?WANIPv6Firewall1')}
</serviceList></device></deviceList></device></deviceList></device></root>`;

it('finds the services that map ports, however deep they lie, and says who the router is', () => {
  expect(parseDescription(DESCRIPTION, LOCATION)).toEqual({
    friendlyName: 'FRITZ!Box 7590',
    manufacturer: 'AVM',
    model: 'FRITZ!Box 7590',
    presentation: { port: 80, path: '/' },
    udn: 'uuid:75802409-bccb',
    services: [
      {
        name: 'WANIPConnection',
        version: 1,
        type: 'urn:schemas-upnp-org:service:WANIPConnection:1',
        control: { port: 49_000, path: '/igdupnp/control/WANIPConn1' },
      },
      {
        name: 'WANIPv6FirewallControl',
        version: 1,
        type: 'urn:schemas-upnp-org:service:WANIPv6FirewallControl:1',
        control: { port: 49_000, path: '/control?WANIPv6Firewall1' },
      },
    ],
  });
});

it('a media server is a device without any of our services; a login page is no description', () => {
  const media = DESCRIPTION.replaceAll(/WANIP\w+/g, 'ContentDirectory');
  expect(parseDescription(media, LOCATION)?.services).toEqual([]);
  expect(parseDescription('<html><body>Log in</body></html>', LOCATION)).toBeUndefined();
});

it.each([
  ['/ctl', LOCATION, { port: 49_000, path: '/ctl' }],
  ['ctl', 'http://192.168.1.1/upnp/desc.xml', { port: 80, path: '/upnp/ctl' }],
  ['http://192.168.1.1:5000/ctl', LOCATION, { port: 5000, path: '/ctl' }],
  // The host is never taken over: neither an old address of the router, nor that of a third party.
  ['http://11.9.9.9:80/ctl', LOCATION, { port: 80, path: '/ctl' }],
  ['//evil.example/ctl', LOCATION, { port: 80, path: '/ctl' }],
  ['http://[fe80::1]:5000/ctl', LOCATION, { port: 5000, path: '/ctl' }],
  ['https://192.168.1.1/ctl', LOCATION, undefined],
  ['file:///etc/passwd', LOCATION, undefined],
  ['http://192.168.1.1:0/', LOCATION, undefined],
  ['http://192.168.1.1:99999/', LOCATION, undefined],
  ['', LOCATION, undefined],
  ['/ctl', 'nonsense', undefined],
  ['/a\r\nHost: evil', LOCATION, { port: 49_000, path: '/aHost:%20evil' }],
])('resolves %j on %s', (url, base, place) => {
  expect(parsePlace(url, base)).toEqual(place);
});

it('takes URLBase where there is one, and LOCATION where that is nonsense', () => {
  const withBase = (base: string): string =>
    DESCRIPTION.replace('<device>', `<URLBase>${base}</URLBase><device>`);
  const controlOf = (text: string) => parseDescription(text, LOCATION)?.services[0]?.control;
  expect(controlOf(withBase('http://192.168.1.1:1900/'))?.port).toBe(1900);
  expect(controlOf(withBase('192.168.1.1'))?.port).toBe(49_000);
});

it('shows nothing of a router that a terminal would obey', () => {
  expect(printable('\u001b[31mred\u001b[0m\r\n\u202Eevil')).toBe('[31mred [0m evil');
  expect(printable('x'.repeat(500))).toHaveLength(80);
});

const WAN = { type: 'urn:schemas-upnp-org:service:WANIPConnection:1' };
const MAPPING = {
  transport: 'udp',
  externalPort: 51_820,
  internalPort: 51_820,
  internalClient: '192.168.1.20',
  description: 'gateway <&"home"> udp',
  leaseSeconds: 3600,
} as const;

it('writes a call: arguments in order, escaped, and the action in quotes', () => {
  const { soapAction, body } = encodeCall(WAN, 'AddPortMapping', addArguments(MAPPING));
  expect(soapAction).toBe('"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping"');
  const call = parseXml(body)?.children[0]?.children[0];
  expect(call?.children.map(({ name, text }) => [name, text])).toEqual([
    ['NewRemoteHost', ''],
    ['NewExternalPort', '51820'],
    // A TP-Link ER605 knows the protocol in capitals only (tailscale #7377).
    ['NewProtocol', 'UDP'],
    ['NewInternalPort', '51820'],
    ['NewInternalClient', '192.168.1.20'],
    ['NewEnabled', '1'],
    ['NewPortMappingDescription', 'gateway <&"home"> udp'],
    ['NewLeaseDuration', '3600'],
  ]);
});

const envelope = (inside: string): string =>
  `<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="x"><SOAP-ENV:Body>${inside}</SOAP-ENV:Body></SOAP-ENV:Envelope>`;
const FAULT = envelope(
  '<SOAP-ENV:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="u">' +
    '<errorCode>725</errorCode><errorDescription>OnlyPermanentLeasesSupported</errorDescription></UPnPError></detail></SOAP-ENV:Fault>',
);
const ENTRY = envelope(
  '<m:GetGenericPortMappingEntryResponse><NewRemoteHost></NewRemoteHost><NewExternalPort>51820</NewExternalPort>' +
    '<NewProtocol>UDP</NewProtocol><NewInternalPort>51820</NewInternalPort><NewInternalClient>192.168.1.20</NewInternalClient>' +
    '<NewEnabled>1</NewEnabled><NewPortMappingDescription>x</NewPortMappingDescription><NewLeaseDuration>3599</NewLeaseDuration>' +
    '</m:GetGenericPortMappingEntryResponse>',
);

it('reads replies and faults, and takes nothing else for either', () => {
  const reply = parseSoapReply(ENTRY, 'GetGenericPortMappingEntry');
  expect(reply?.kind === 'reply' && parseEntry(reply.values)).toEqual({
    transport: 'udp',
    externalPort: 51_820,
    internalPort: 51_820,
    internalClient: '192.168.1.20',
    isEnabled: true,
    description: 'x',
    leaseSeconds: 3599,
  });
  expect(parseSoapReply(FAULT, 'AddPortMapping')).toEqual({
    kind: 'fault',
    code: 725,
    description: 'OnlyPermanentLeasesSupported',
  });
  expect(parseSoapReply(ENTRY, 'DeletePortMapping')).toBeUndefined();
  expect(parseSoapReply('<html/>', 'DeletePortMapping')).toBeUndefined();
  expect(parseSoapReply(envelope('<Fault><faultstring>x</faultstring></Fault>'), 'x')).toBeUndefined();
});

it('says in words what a code means, and that it knows one no better than the router does', () => {
  expect(explainFault({ code: 718, description: 'Conflict' })).toBe(
    '718: another host has this port (Conflict)',
  );
  expect(explainFault({ code: 899, description: '' })).toContain('not in the standard');
});

const valuesOf = (values: Record<string, string>) => new Map(Object.entries(values));

it('reads the values of each reply, and nothing that cannot be one', () => {
  expect(parseExternalAddress(valuesOf({ NewExternalIPAddress: '11.2.0.2' }))).toBe('11.2.0.2');
  for (const text of ['', '11.2.0', '011.2.0.2', 'fe80::1', '11.2.0.2/24']) {
    expect(parseExternalAddress(valuesOf({ NewExternalIPAddress: text }))).toBeUndefined();
  }
  expect(parseStatus(valuesOf({ NewConnectionStatus: 'Up', NewUptime: '12' }))).toEqual({
    isConnected: true,
    uptimeSeconds: 12,
  });
  expect(parseStatus(valuesOf({ NewConnectionStatus: 'Disconnected', NewUptime: '-1' }))).toEqual({
    isConnected: false,
    uptimeSeconds: undefined,
  });
  expect(parseConnectionType(valuesOf({ NewConnectionType: 'IP_Bridged' }))).toBe('bridged');
  expect(parseConnectionType(valuesOf({ NewConnectionType: 'IP_Routed' }))).toBe('routed');
  expect(parseConnectionType(valuesOf({}))).toBe('unknown');
  expect(parseReservedPort(valuesOf({ NewReservedPort: '443' }))).toBe(443);
  expect(parseReservedPort(valuesOf({ NewReservedPort: '0' }))).toBeUndefined();
  expect(parseEntry(valuesOf({ NewProtocol: 'SCTP', NewExternalPort: '1' }))).toBeUndefined();
  expect(
    parseSpecificEntry(valuesOf({ NewInternalPort: '80', NewInternalClient: 'tv.lan' }), MAPPING),
  ).toBeUndefined();
});

it('writes and reads pinholes', () => {
  const call = encodeCall(
    { type: 'urn:schemas-upnp-org:service:WANIPv6FirewallControl:1' },
    'AddPinhole',
    pinholeArguments({
      transport: 'udp',
      internalClient: '2001:db8::20',
      internalPort: 51_820,
      leaseSeconds: 3600,
    }),
  );
  const asked = parseXml(call.body)?.children[0]?.children[0];
  expect([textOf(asked, 'Protocol'), textOf(asked, 'InternalClient'), textOf(asked, 'RemotePort')]).toEqual([
    '17',
    '2001:db8::20',
    '0',
  ]);
  expect(parsePinholeId(valuesOf({ UniqueID: '0' }))).toBe(0);
  expect(parsePinholeId(valuesOf({ UniqueID: '65536' }))).toBeUndefined();
  expect(parseFirewallStatus(valuesOf({ FirewallEnabled: '1', InboundPinholeAllowed: 'false' }))).toEqual({
    isFirewallOn: true,
    allowsPinholes: false,
  });
  expect(parseIsWorking(valuesOf({ IsWorking: 'maybe' }))).toBeUndefined();
  expect(isPinholeClient('fe80::1')).toBe(false);
  expect(isPinholeClient('2001:db8::20')).toBe(true);
});

const PIECES = [
  '<',
  '>',
  '</',
  '/>',
  '&amp;',
  '<device>',
  '</device>',
  '<serviceList>',
  '<controlURL>',
  'http://evil/',
  '\0',
  '725',
];

it('a description throws nothing and names no other host, whatever arrives', () => {
  for (const text of mutations([DESCRIPTION], PIECES)) {
    for (const { control } of parseDescription(text, LOCATION)?.services ?? []) {
      expect(control.path).toMatch(/^\/[^\s]*$/);
      expect(control.port).toBeGreaterThan(0);
      expect(control.port).toBeLessThan(65_536);
    }
  }
});

it('a reply throws nothing and gives no value out of range, whatever arrives', () => {
  for (const text of mutations([FAULT, ENTRY], PIECES)) {
    const reply = parseSoapReply(text, 'GetGenericPortMappingEntry');
    if (reply?.kind === 'fault') expect(reply.description.length).toBeLessThanOrEqual(80);
    const entry = reply?.kind === 'reply' ? parseEntry(reply.values) : undefined;
    if (entry === undefined) continue;
    expect([entry.externalPort, entry.internalPort].every((port) => port > 0 && port < 65_536)).toBe(true);
    expect(entry.leaseSeconds ?? 0).toBeGreaterThanOrEqual(0);
  }
});
