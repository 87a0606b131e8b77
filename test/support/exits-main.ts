import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { TorExits } from '../../src/system/tor-exits/tor-exits.ts';

/**
 * `exits-main serve PORT SECRET [PEM]`: answers with what only it can know, over TCP or TLS.
 * `exits-main probe DIRECTORY HOST PORT SECRET [FINGERPRINT]`: asks for that through exits; prints the report.
 */
const [word, ...words] = process.argv.slice(2);

function proofOf(secret: string, nonce: Buffer): Buffer {
  return createHmac('sha256', secret).update(nonce).digest();
}

function serve(port: string, secret: string, pem?: string): void {
  const answer = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      if (pem === undefined) socket.end(proofOf(secret, data));
      else socket.end(`HTTP/1.1 200 OK\r\n\r\n${secret}`);
    });
  };
  if (pem === undefined) createServer(answer).listen(Number(port));
  else {
    const text = readFileSync(pem, 'utf8');
    createTlsServer({ key: text, cert: text }, answer).listen(Number(port));
  }
}

async function probe(directory: string, host: string, port: string, secret: string, fingerprint?: string) {
  const exits = new TorExits({
    controlSocket: `${directory}/control`,
    socksSocket: `${directory}/socks`,
    now: Date.now,
  });
  const target = { host, port: Number(port) };
  const signal = AbortSignal.timeout(90_000);
  if (fingerprint !== undefined) {
    const page = { path: '/proof', contains: secret };
    return exits.probeTls({ ...target, servername: 'shop.test', fingerprints: [fingerprint], page }, signal);
  }
  const send = randomBytes(32);
  const expected = proofOf(secret, send);
  return exits.probeTcp({ ...target, send, isProof: (answer) => expected.equals(answer) }, signal);
}

if (word === 'serve') serve(...(words as [string, string, string?]));
else
  process.stdout.write(JSON.stringify(await probe(...(words as [string, string, string, string, string?]))));
