import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as listen } from 'node:net';
import { parseStunRequest, renderStunAnswer } from '../../src/wire/stun.ts';

/**
 * `internet-main.ts FILE`: the part of the internet that the doctor asks: names, pages, STUN, and somebody who takes
 * connections. The file says what it does wrong, and is read anew for each question.
 */
interface Internet {
  /** A of each name. */
  readonly names: Readonly<Record<string, string>>;
  /** AAAA. */
  readonly names6?: Readonly<Record<string, string>>;
  /** What each page says, by the host that is asked for. */
  readonly pages: Readonly<Record<string, string>>;
  /** How far its clock is ahead. */
  readonly skewMs?: number;
  /** Sends everybody there, as networks do that want a sign-in. */
  readonly portal?: string;
}

const [file = '', httpPort = '80'] = process.argv.slice(2);
const now = (): Internet => JSON.parse(readFileSync(file, 'utf8')) as Internet;

createServer((request, response) => {
  const { pages, portal, skewMs = 0 } = now();
  response.setHeader('Date', new Date(Date.now() + skewMs).toUTCString());
  if (portal !== undefined) return response.writeHead(302, { Location: portal }).end('sign in first');
  const page = pages[request.headers.host ?? ''];
  return response.writeHead(page === undefined ? 404 : 200).end(page);
}).listen(Number(httpPort), '::');

if (httpPort === '80') {
  for (const port of [443, 853]) listen((socket) => socket.end()).listen(port, '0.0.0.0');
  const stun = createSocket('udp4');
  stun.on('message', (data, from) => {
    const request = parseStunRequest(data);
    if (request === undefined) return;
    const mapped = { host: from.address, port: from.port };
    stun.send(renderStunAnswer({ transaction: request.transaction, mapped }), from.port, from.address);
  });
  stun.bind(3478);
  const dns = createSocket('udp4');
  dns.on('message', (data, from) => dns.send(answerTo(data), from.port, from.address));
  dns.bind(53);
}

const TYPES: Readonly<Record<number, 'names' | 'names6'>> = { 1: 'names', 28: 'names6' };

/** RFC 1035 4.1: one question, no or one record. A name that is not there does not exist. */
function answerTo(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  const name = labels.join('.');
  const question = query.subarray(12, at + 5);
  const internet = now();
  const table = TYPES[query.readUInt16BE(at + 1)];
  const address = table === undefined ? undefined : internet[table]?.[name];
  const isThere = name in internet.names;
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | (isThere ? 0 : 3), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(address === undefined ? 0 : 1, 6);
  if (address === undefined) return Buffer.concat([head, question]);
  const data = bytesOf(address);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  question.copy(record, 2, question.length - 4);
  record.writeUInt16BE(5, 8);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, question, record, data]);
}

function bytesOf(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '');
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array<string>(8 - first.length - last.length).fill('0');
  return Buffer.from([...first, ...zeros, ...last].map((group) => group.padStart(4, '0')).join(''), 'hex');
}
