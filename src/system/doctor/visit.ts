import { randomBytes, X509Certificate } from 'node:crypto';
import { request as askPlainly, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as askByTls } from 'node:https';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { SocksProxyAgent } from 'socks-proxy-agent';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { SitePage, Visit, Visited } from '../../doctor/world.ts';
import type { Directories } from '../directories.ts';
import { pathsOf } from '../directories.ts';

/** tor itself gives up on a stream after two minutes. */
const TIMEOUT_MS = 30_000;
const MOST_BODY = 256 * 1024;

/**
 * GET as Tor Browser would, on a circuit of its own, through one of the gateway's tor processes and in no other way: a
 * name is looked up by an exit, and an onion known to nobody else. No certificate is trusted, and each is looked at.
 */
export async function visitByTor(
  directories: Directories,
  visit: Visit,
  signal: AbortSignal,
): Promise<Visited> {
  signal.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<Visited>();
  const asked = ask(pathsOf(directories).ofTor(visit.by).torSocks, visit);
  let certificate: Visited['certificate'];
  let hasTor = false;
  const fail = (why: string): void => resolve({ page: undefined, certificate, hasTor, why });
  const timer = setTimeout(() => fail('no answer in time'), TIMEOUT_MS);
  const abort = (): void => fail('not waited for');
  signal.addEventListener('abort', abort, { once: true });
  asked.on('socket', (socket) => {
    hasTor = true;
    if (!(socket instanceof TLSSocket)) return;
    const look = (): void => void (certificate = certificateOf(socket));
    look();
    socket.once('secureConnect', look);
  });
  asked.on('response', (response) => {
    const done = (page: SitePage): void => resolve({ page, certificate, hasTor, why: undefined });
    readPage(response, done, fail);
  });
  asked.on('error', (error) => {
    // tor answered: it is there.
    hasTor ||= /rejected connection|timed out/.test(messageOf(error));
    fail(messageOf(error));
  });
  asked.end();
  const visited = await promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    asked.destroy();
  });
  if (signal.aborted) throw new GatewayError(`${visit.host} was not waited for`, { code: 'Aborted' });
  return visited;
}

function ask(socksSocket: string, { host, port, isTls, path }: Visit): ClientRequest {
  // Credentials that nobody else uses: stream isolation (prop171).
  const [user, password] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
  const socketOptions = { path: socksSocket, noDelay: true };
  const agent = new SocksProxyAgent(`socks5h://${user}:${password}@tor`, {
    timeout: TIMEOUT_MS,
    socketOptions,
  });
  const headers = { 'user-agent': 'Mozilla/5.0', accept: '*/*', connection: 'close' };
  const options = { agent, host, port, path, headers };
  if (!isTls) return askPlainly(options);
  return askByTls({ ...options, rejectUnauthorized: false, servername: isIP(host) === 0 ? host : '' });
}

function certificateOf(socket: TLSSocket): Visited['certificate'] {
  const raw = socket.getPeerX509Certificate()?.raw;
  if (raw === undefined) return undefined;
  const { fingerprint256, subject, subjectAltName = '' } = new X509Certificate(raw);
  const names = subjectAltName.split(', ').map((name) => name.replace(/^(?:DNS|IP Address|URI|email):/, ''));
  const common = /^CN=(.*)$/m.exec(subject)?.[1];
  return {
    fingerprint: fingerprint256,
    names: [...names, ...(common === undefined ? [] : [common])].filter((name) => name !== ''),
  };
}

function readPage(
  response: IncomingMessage,
  done: (page: SitePage) => void,
  fail: (why: string) => void,
): void {
  const { rawHeaders, statusCode: status = 0 } = response;
  const headers = rawHeaders.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? '']] : [],
  );
  let body = '';
  const end = (): void => done({ status, headers, body: body.slice(0, MOST_BODY) });
  response.setEncoding('utf8');
  response.on('data', (piece: string) => {
    body += piece;
    if (body.length >= MOST_BODY) end();
  });
  response.on('end', end);
  response.on('error', (error) => fail(messageOf(error)));
}
