import { connect as connectHttp2, constants, type ClientHttp2Session } from 'node:http2';
import { Agent, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';

/**
 * Visitors that never stop: WebSockets that echo, and requests over connections that are kept, that are new, and by
 * HTTP/2. Ends at SIGTERM, once it made as many requests as it was told, and says what failed.
 *
 *   web-visitors-main.ts HOST PORT NAME REQUESTS WEBSOCKETS
 */
const [host = '', port = '', name = '', atLeast = '', webSockets = ''] = process.argv.slice(2);
/** Many households: one alone would be held to what a household needs. */
let household = 0;
const fromOne = () => ({ localAddress: `11.0.0.${10 + (household++ % 100)}` });
const target = { host, port: Number(port), servername: name, rejectUnauthorized: false };
const failures: string[] = [];
let requests = 0;
/** By HTTP/2, told by the server that it was not looked at (RFC 9113 8.7): clients ask again by themselves. */
let askedAgain = 0;
let echoes = 0;
let isEnding = false;
process.on('SIGTERM', () => (isEnding = true));
const isOver = (): boolean => isEnding && requests >= Number(atLeast);

function ask(agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    const fail = (error: Error): void => {
      failures.push(error.message);
      resolve();
    };
    const asked = request(
      { ...target, ...fromOne(), agent, headers: { host: name }, path: '/' },
      (answer) => {
        if (answer.statusCode !== 200) failures.push(`status ${answer.statusCode}`);
        answer.on('error', fail).on('end', resolve).resume();
      },
    );
    asked.on('error', fail).end();
  });
}

async function loop(agent: Agent): Promise<void> {
  while (!isOver()) {
    await ask(agent);
    requests += 1;
  }
}

function askHttp2(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/', ':authority': name });
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) failures.push(`status ${headers[':status']}`);
    });
    stream.on('error', (error) => {
      if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) askedAgain += 1;
      else failures.push(`HTTP/2: ${error.message}`);
      resolve();
    });
    stream.on('end', resolve).resume();
  });
}

async function loopHttp2(): Promise<void> {
  let session: ClientHttp2Session | undefined;
  while (!isOver()) {
    if (session === undefined || session.closed || session.destroyed) {
      const createConnection = (): TLSSocket => connect({ ...target, ...fromOne(), ALPNProtocols: ['h2'] });
      session = connectHttp2(`https://${name}`, { createConnection });
      session.on('error', (error) => failures.push(`HTTP/2 session: ${error.message}`));
    }
    await askHttp2(session);
    requests += 1;
  }
  session?.destroy();
}

function openWebSocket(): void {
  const socket = connect({ ...target, ...fromOne() });
  const lines = ['GET / HTTP/1.1', `Host: ${name}`, 'Connection: Upgrade', 'Upgrade: websocket'];
  const keys = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];
  socket.write([...lines, ...keys, '', ''].join('\r\n'));
  const ended = (why: string): void => void (isOver() || failures.push(`a WebSocket ended: ${why}`));
  socket.on('error', (error) => ended(error.message));
  socket.on('close', () => ended('closed'));
  let waiting = 0;
  socket.on('data', () => {
    waiting = 0;
    echoes += 1;
  });
  setInterval(() => {
    if (!socket.destroyed) socket.write('echo');
    if (++waiting > 50) ended('silent');
  }, 200);
}

for (let count = 0; count < Number(webSockets); count += 1) openWebSocket();
const kept = new Agent({ keepAlive: true });
const fresh = new Agent({ keepAlive: false });
await Promise.all([loop(kept), loop(kept), loop(kept), loop(fresh), loopHttp2(), loopHttp2()]);
console.log(
  JSON.stringify({
    requests,
    askedAgain,
    echoes,
    failures: failures.length,
    first: Object.entries(Object.groupBy(failures, (x) => x)).map(([k, v]) => `${v?.length} x ${k}`),
  }),
);
process.exit();
