import { connect } from 'node:net';
import { errnoOf } from '../core/errors.ts';
import { nodeCrypto } from '../system/crypto.ts';
import { decodeKey, encodeKey, type WireguardDump } from '../wire/wireguard.ts';
import { isWholeAnswer, parseUapi, UAPI_GET } from '../wire/wireguard-uapi.ts';
import { socketOf } from './wireguard-go.ts';

/** `absent`: no process listens, as with the kernel's WireGuard. `silent`: one does, and says nothing that is of use. */
type Answer = WireguardDump | 'absent' | 'silent';

/** Asks wireguard-go itself: as `wg show … dump` does, without starting a program for it. Aborting is silence. */
export async function askWireguardGo(name: string, signal: AbortSignal): Promise<Answer> {
  const text = await ask(socketOf(name), signal);
  if (text === 'absent') return 'absent';
  const running = parseUapi(text);
  if (running === undefined) return 'silent';
  const { privateKey, listenPort, peers } = running;
  const secret = privateKey === undefined ? undefined : decodeKey(privateKey);
  const publicKey = secret === undefined ? '' : encodeKey(nodeCrypto.curve25519Public(secret));
  return { publicKey, listenPort, peers };
}

/** Resolves with what was said until the end, or until `signal` aborts. */
function ask(path: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(path, () => socket.write(UAPI_GET));
    const finish = (): void => {
      signal.removeEventListener('abort', finish);
      socket.destroy();
      resolve(answer);
    };
    signal.addEventListener('abort', finish, { once: true });
    if (signal.aborted) finish();
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      answer += piece;
      if (isWholeAnswer(answer)) finish();
    });
    socket.on('close', finish);
    socket.on('error', (error) => {
      signal.removeEventListener('abort', finish);
      const isAbsent = ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '');
      if (isAbsent) resolve('absent');
      // It died while it spoke.
      else if (['ECONNRESET', 'EPIPE'].includes(errnoOf(error) ?? '')) resolve('');
      else reject(error);
    });
  });
}
