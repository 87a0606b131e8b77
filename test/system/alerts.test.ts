import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isPublicUnicast } from '../../src/core/inet.ts';
import { NotifySettings, type Notice, type Receiver } from '../../src/core/notify.ts';
import { callAlive, tell } from '../../src/system/alerts/tell.ts';
import { MailServer } from '../support/mail-server.ts';
import { SocksServer } from '../support/socks-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const signal = AbortSignal.timeout(20_000);
const AT = Date.parse('2026-01-31T08:00:00Z');
const notice: Notice = {
  lines: [{ state: 'begins', kind: 'down', text: 'shop is down: kein Weg für Gäste' }],
  told: {},
};
const told: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];
let web: Server;
let mail: MailServer;
let folder: string;
let answer = 200;

beforeEach(async () => {
  folder = temporaryFolder();
  [answer, told.length] = [200, 0];
  web = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      told.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      response.writeHead(answer, { location: 'http://localhost/elsewhere' }).end('x'.repeat(100_000));
    });
  });
  await new Promise<void>((resolve) => web.listen(0, 'localhost', resolve));
  mail = await MailServer.start();
});
afterEach(async () => {
  web.closeAllConnections();
  await new Promise((resolve) => web.close(resolve));
  await mail.stop();
});

const port = (): number => (web.address() as AddressInfo).port;
const secret = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, `${text}\n`);
  return path;
};
const receiver = (written: object): Receiver => {
  const [first] = NotifySettings.parse({ to: [written] }).to;
  if (first === undefined) throw new Error('no receiver');
  return first;
};
const send = (written: object, socks?: string): Promise<void> =>
  tell(receiver(written), notice, AT, socks === undefined ? {} : { socksSocket: socks }, signal);

it('posts JSON to a webhook, with its token', async () => {
  await send({ by: 'webhook', url: `http://localhost:${port()}/hook?a=b`, token: secret('token', 's3cret') });
  expect(told).toMatchObject([
    { method: 'POST', url: '/hook?a=b', headers: { authorization: 'Bearer s3cret' } },
  ]);
  expect(JSON.parse(told[0]?.body ?? '')).toEqual({
    title: 'Gateway: shop is down: kein Weg für Gäste',
    at: '2026-01-31T08:00:00.000Z',
    lines: notice.lines,
  });
});

it('posts lines to an ntfy topic', async () => {
  await send({ by: 'ntfy', url: `http://localhost:${port()}/my-topic` });
  expect(told).toMatchObject([
    { url: '/my-topic', headers: { priority: 'high' }, body: 'shop is down: kein Weg für Gäste\n' },
  ]);
});

it.each([301, 500])('takes an answer of %i for no', async (status) => {
  answer = status;
  await expect(send({ by: 'webhook', url: `http://localhost:${port()}/` })).rejects.toMatchObject({
    code: 'NotifyRefused',
    message: `localhost:${port()} answered ${status}`,
  });
});

const letter = () => ({
  by: 'mail',
  server: mail.address,
  from: 'gateway@example.net',
  to: 'me@example.net',
  user: 'me',
  password: secret('password', 'geheim'),
  roots: secret('roots', mail.certificate),
});

it('hands a letter to a submission server, with TLS before the password', async () => {
  await send(letter());
  expect(mail.heard).toEqual([
    'EHLO [127.0.0.1]',
    'STARTTLS',
    'EHLO [127.0.0.1]',
    'AUTH \0me\0geheim',
    'MAIL FROM:<gateway@example.net>',
    'RCPT TO:<me@example.net>',
    'DATA',
    'QUIT',
  ]);
  const [head = '', body = ''] = mail.letters[0]?.text.split('\n\n') ?? [];
  expect(Buffer.from(body, 'base64').toString()).toBe('shop is down: kein Weg für Gäste\n');
  expect(head).toMatch(/^Date: Sat, 31 Jan 2026 08:00:00 \+0000$/m);
  expect(head).toMatch(/^Message-ID: <[0-9a-f-]{36}@example\.net>$/m);
});

it('tells nothing to a mail server without TLS, or with a certificate of somebody else', async () => {
  mail.offersTls = false;
  await expect(send(letter())).rejects.toMatchObject({ code: 'NotifyRefused' });
  mail.offersTls = true;
  const { roots: _roots, ...public_ } = letter();
  await expect(send(public_)).rejects.toMatchObject({ code: 'Unreachable' });
  expect(mail.heard.join()).not.toContain('geheim');
});

it('says what a mail server said when it refused', async () => {
  mail.refusal = '550-no such\r\n550 letter box\u001b[31m';
  await expect(send(letter())).rejects.toMatchObject({
    message: expect.stringContaining('550-no such 550 letter box'),
  });
  expect(mail.letters).toEqual([]);
});

it('hands JSON to a program', async () => {
  const program = join(folder, 'alert');
  writeFileSync(program, `#!/bin/sh\ncat > ${folder}/said\n`);
  chmodSync(program, 0o755);
  await send({ by: 'command', path: program });
  expect(JSON.parse(readFileSync(join(folder, 'said'), 'utf8'))).toMatchObject({ lines: notice.lines });
});

it('goes through tor where it must: names are looked up there, and nothing goes another way', async () => {
  const path = join(folder, 'socks');
  let to = port();
  const socks = await SocksServer.start(path, () => to);
  await send({ by: 'webhook', url: 'http://hook.invalid/x' }, path);
  await callAlive('http://alive.invalid:8080/id', { socksSocket: path }, signal);
  to = Number(mail.address.split(':')[1]);
  await send({ ...letter(), server: 'mail.invalid:587' }, path).catch(() => undefined);
  expect(socks.asked).toEqual(['hook.invalid:80', 'alive.invalid:8080', 'mail.invalid:587']);
  expect(told.map(({ method, headers }) => `${method} ${String(headers['host'])}`)).toEqual([
    'POST hook.invalid',
    'GET alive.invalid:8080',
  ]);
  expect(mail.heard).toContain('STARTTLS');
  await socks.stop();
  await expect(send({ by: 'webhook', url: `http://localhost:${port()}/` }, path)).rejects.toMatchObject({
    code: 'Unreachable',
  });
  expect(told).toHaveLength(2);
});

it('reaches only what it may: by its address or by what its name leads to', async () => {
  const sent = (url: string): Promise<void> =>
    tell(receiver({ by: 'webhook', url }), notice, AT, { mayReach: isPublicUnicast }, signal);
  for (const host of [
    '127.0.0.1',
    'localhost',
    '10.0.0.1',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
  ])
    await expect(sent(`http://${host}:${port()}/`)).rejects.toThrow('no public address');
  const pinned = { by: 'webhook', url: `http://localhost:${port()}/` };
  await expect(tell(receiver(pinned), notice, AT, { mayReach: () => false }, signal)).rejects.toThrow();
  expect(told).toEqual([]);
  await tell(receiver(pinned), notice, AT, { mayReach: () => true }, signal);
  expect(told).toHaveLength(1);
});
