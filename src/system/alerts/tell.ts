import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import { parseEndpoint } from '../../core/inet.ts';
import { isTrouble, sentenceOf, titleOf, type Notice, type Receiver } from '../../core/notify.ts';
import { run } from '../run.ts';
import { post } from './post.ts';
import { sendLetter } from './smtp.ts';
import type { Route } from './stream.ts';

const TIMEOUT_MS = 60_000;
const MAX_SECRET_CHARACTERS = 4096;

/** Tells one receiver; resolves once it took the message, which leaves by `way` and no other. */
export async function tell(
  receiver: Receiver,
  notice: Notice,
  atMs: number,
  way: Pick<Route, 'socksSocket' | 'mayReach'>,
  signal: AbortSignal,
): Promise<void> {
  const ending = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const json = JSON.stringify({
    title: titleOf(notice),
    at: new Date(atMs).toISOString(),
    lines: notice.lines,
  });
  if (receiver.by === 'command') return tellProgram(receiver.path, json, ending);
  const route = await routeOf(way, receiver.roots);
  if (receiver.by === 'mail') return tellByMail(receiver, notice, atMs, route, ending);
  const headers = await authorization(receiver.token);
  const url = new URL(receiver.url);
  if (receiver.by === 'webhook') {
    return post(
      { method: 'POST', url, headers: { ...headers, 'content-type': 'application/json' }, body: json },
      route,
      ending,
    );
  }
  const priority = isTrouble(notice) ? 'high' : 'default';
  await post(
    { method: 'POST', url, headers: { ...headers, priority, title: 'Gateway' }, body: textOf(notice) },
    route,
    ending,
  );
}

/** Asks for an address, and for nothing in it. */
export function callAlive(url: string, way: Route, signal: AbortSignal): Promise<void> {
  const ending = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  return post({ method: 'GET', url: new URL(url) }, way, ending);
}

function textOf({ lines }: Notice): string {
  return `${lines.map(sentenceOf).join('\n')}\n`;
}

async function tellByMail(
  { server, from, to, user, password }: Extract<Receiver, { by: 'mail' }>,
  notice: Notice,
  atMs: number,
  route: Route,
  signal: AbortSignal,
): Promise<void> {
  const place = parseEndpoint(server);
  if (place === undefined) throw new GatewayError(`${server} is no mail server`, { code: 'ConfigInvalid' });
  const login =
    user === undefined || password === undefined ? undefined : { user, password: await readSecret(password) };
  const letter = {
    from,
    to,
    subject: titleOf(notice),
    text: textOf(notice),
    at: new Date(atMs),
    id: randomUUID(),
  };
  await sendLetter(place, login, letter, route, signal);
}

/** A program of the owner's, run as the daemon's user, with one line of JSON on standard input. */
async function tellProgram(path: string, json: string, signal: AbortSignal): Promise<void> {
  const env = { PATH: process.env['PATH'] };
  await run([path], { signal, input: `${json}\n`, timeoutMs: TIMEOUT_MS, env });
}

async function routeOf(way: Route, roots: string | undefined): Promise<Route> {
  return roots === undefined ? way : { ...way, roots: await readSecret(roots, true) };
}

async function authorization(token: string | undefined): Promise<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${await readSecret(token)}` };
}

/** Read each time, so that one that was replaced is used at once. */
async function readSecret(path: string, isLong = false): Promise<string> {
  const unusable = (why: string, cause?: unknown): GatewayError =>
    new GatewayError(`${path} cannot be used: ${why}`, {
      code: 'NotifyRefused',
      hint: `chown gateway ${path}; chmod 600 ${path}`,
      cause,
    });
  try {
    const text = (await readFile(path, 'utf8')).trim();
    if (text === '') throw unusable('it is empty');
    if (isLong) return text;
    if (text.length <= MAX_SECRET_CHARACTERS && !/[\r\n]/.test(text)) return text;
    throw unusable('it holds more than one line');
  } catch (error) {
    throw error instanceof GatewayError ? error : unusable(errnoOf(error) ?? 'it could not be read', error);
  }
}
