import { expect, it } from 'vitest';
import {
  encodeSearch,
  isGatewayDevice,
  isGatewayTarget,
  parseSsdp,
  SSDP_GROUP_V6,
} from '../../src/wire/ssdp.ts';
import { mutations } from '../support/mutations.ts';

const IGD = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1';
const ANSWER = [
  'HTTP/1.1 200 OK',
  'CACHE-CONTROL: max-age=120',
  `ST: ${IGD}`,
  `USN: uuid:1::${IGD}`,
  'EXT:',
  'SERVER: Debian/12 UPnP/1.1 MiniUPnPd/2.3.1',
  'LOCATION: http://192.168.50.1:5000/rootDesc.xml',
  'OPT: "http://schemas.upnp.org/upnp/1/0/"; ns=01',
  '01-NLS: 1',
  'BOOTID.UPNP.ORG: 1795168800',
  'CONFIGID.UPNP.ORG: 1337',
  '',
  '',
].join('\r\n');
const NOTIFY = `NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: ${IGD}\r\nNTS: ssdp:alive\r\nLocation:http://192.168.50.1:5000/rootDesc.xml\r\nBOOTID.UPNP.ORG: 7\r\n\r\n`;

it('asks as the standard says, of the group or of one address', () => {
  expect(encodeSearch(IGD, 2)).toBe(
    `M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\nST: ${IGD}\r\n\r\n`,
  );
  expect(encodeSearch(IGD, 1, SSDP_GROUP_V6)).toContain('HOST: [ff02::c]:1900\r\n');
});

it('reads an answer', () => {
  expect(parseSsdp(ANSWER)).toEqual({
    kind: 'answer',
    location: 'http://192.168.50.1:5000/rootDesc.xml',
    target: IGD,
    usn: `uuid:1::${IGD}`,
    server: 'Debian/12 UPnP/1.1 MiniUPnPd/2.3.1',
    bootId: 1_795_168_800,
    configId: 1337,
  });
});

it('reads announcements, and of an update the number that comes next', () => {
  expect(parseSsdp(NOTIFY)).toMatchObject({ kind: 'alive', target: IGD, bootId: 7 });
  expect(parseSsdp(NOTIFY.replace('ssdp:alive', 'ssdp:byebye'))?.kind).toBe('byebye');
  const update = NOTIFY.replace('ssdp:alive', 'ssdp:update').replace(
    '\r\n\r\n',
    '\r\nNEXTBOOTID.UPNP.ORG: 8\r\n\r\n',
  );
  expect(parseSsdp(update)).toMatchObject({ kind: 'update', bootId: 8 });
});

it.each([
  ['a question of somebody else', encodeSearch(IGD, 2)],
  ['an error', ANSWER.replace('200 OK', '500 Error')],
  ['an announcement of no kind', NOTIFY.replace('ssdp:alive', 'ssdp:dead')],
  ['an answer that is not for us', ANSWER.replace('HTTP/1.1 200', 'XTTP/1.1 200')],
  ['nothing', ''],
  ['too much', ANSWER.replace('EXT:', `EXT:${'x'.repeat(5000)}`)],
])('takes no notice of %s', (_what, text) => {
  expect(parseSsdp(text)).toBeUndefined();
});

it("tells the gateway from the router's other services", () => {
  expect(isGatewayTarget(IGD)).toBe(true);
  expect(isGatewayTarget('urn:schemas-upnp-org:service:WANIPConnection:2')).toBe(true);
  expect(isGatewayTarget('urn:schemas-upnp-org:device:MediaServer:1')).toBe(false);
  expect(isGatewayTarget('upnp:rootdevice')).toBe(false);
  expect(isGatewayDevice(IGD)).toBe(true);
  expect(isGatewayDevice('urn:schemas-upnp-org:service:WANIPConnection:2')).toBe(false);
});

it('throws nothing, whatever arrives', () => {
  const pieces = ['\r\n', '\n', ':', 'NTS: ssdp:alive', 'HTTP/1.1 200 OK', 'BOOTID.UPNP.ORG: -1', '\0', ' '];
  for (const text of mutations([ANSWER, NOTIFY], pieces)) {
    const message = parseSsdp(text);
    if (message === undefined) continue;
    expect(message.location).not.toMatch(/[\r\n]/);
    expect(message.bootId ?? 0).toBeGreaterThanOrEqual(0);
  }
});
