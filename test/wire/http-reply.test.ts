import { expect, it } from 'vitest';
import { parseHttpReply } from '../../src/wire/http-reply.ts';
import { mutations } from '../support/mutations.ts';

const reply = (headers: string, body: string): string => `HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${body}`;

it('reads a reply as soon as it is whole', () => {
  const whole = reply('Content-Length: 4\r\nServer: x', '<a/>');
  expect(parseHttpReply(whole)).toMatchObject({ status: 200, body: '<a/>', isWhole: true });
  for (let cut = 0; cut < whole.length; cut += 1) {
    const part = parseHttpReply(whole.slice(0, cut));
    expect(part === undefined || (part !== 'malformed' && !part.isWhole)).toBe(true);
  }
});

it.each([
  ['no length: the end of the connection ends it', 'Server: x', '<a/>', '<a/>', false],
  ['a length that is too long', 'Content-Length: 99', '<a/>', '<a/>', false],
  ['a length that is too short, in the middle of a tag', 'Content-Length: 3', '<a/', '<a/', false],
  ['a length that is too short: the rest counts', 'Content-Length: 3', '<a/>', '<a/>', true],
  ['a length that is no number', 'Content-Length: -5', '<a/>', '<a/>', false],
  ['chunks', 'Transfer-Encoding: chunked', '2\r\n<a\r\n2;x=y\r\n/>\r\n0\r\n\r\n', '<a/>', true],
  ['chunks whose end is missing', 'Transfer-Encoding: chunked', '4\r\n<a/>\r\n', '<a/>', false],
  ['chunks that are none', 'Transfer-Encoding: chunked', '<a/>', '<a/>', false],
  ['bare line feeds', 'Content-Length: 4\nX: y', '<a/>', '<a/>', true],
  ['UTF-8', 'Content-Length: 6', '<\u00c3\u00bc/>', '<ü/>', false],
])('understands %s', (_what, headers, body, read, isWhole) => {
  expect(parseHttpReply(reply(headers, body))).toMatchObject({ body: read, isWhole });
});

it('passes over an interim reply and blank lines before the head', () => {
  expect(
    parseHttpReply(`\r\nHTTP/1.1 100 Continue\r\n\r\n${reply('Content-Length: 4', '<a/>')}`),
  ).toMatchObject({
    status: 200,
    body: '<a/>',
  });
});

it('says at once when it will never be HTTP, and does not wait for a head without end', () => {
  expect(parseHttpReply('SSH-2.0-dropbear')).toBe('malformed');
  expect(parseHttpReply('HTTP/1.1 OK\r\n\r\n')).toBe('malformed');
  expect(parseHttpReply(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(4000)}`)).toBe('malformed');
});

it('throws nothing, whatever arrives', () => {
  const samples = [
    reply('Content-Length: 4', '<a/>'),
    reply('Transfer-Encoding: chunked', '2\r\n<a\r\n2\r\n/>\r\n0\r\n\r\n'),
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 500 Internal\n\n<a/>',
  ];
  const pieces = [
    '\r\n',
    '\n',
    '\r\n\r\n',
    'ffffff\r\n',
    'HTTP/1.1 100 \r\n\r\n',
    'chunked',
    '-1',
    '0\r\n',
    '\0',
  ];
  for (const text of mutations(samples, pieces)) {
    const read = parseHttpReply(text);
    if (read === undefined || read === 'malformed') continue;
    expect(read.body.length).toBeLessThanOrEqual(text.length);
    expect(read.status).toBeGreaterThanOrEqual(0);
  }
});
