import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { memoryRegistry, createKeys } from '../../src/system/keys.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { Secret } from '../../src/core/secret.ts';
import { relayKeyName } from '../../src/core/relay.ts';
import { RelayVantages } from '../../src/daemon/vantages.ts';
import { ensureIdentity, type Identity } from '../../src/relay/identity.ts';

/** Something that listens where a relay should, with a relay's certificate, and answers as a test says. */
export interface FakeRelay extends AsyncDisposable {
  readonly address: string;
  readonly fingerprint: string;
  /** Everything that it was told. */
  readonly heard: string[];
}

/** Making a key takes seconds where the processor is shared. */
let identity: Promise<Identity> | undefined;

async function makeIdentity(): Promise<Identity> {
  const directory = await mkdtemp(join(tmpdir(), 'gw-relay-'));
  try {
    return await ensureIdentity(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

export async function fakeRelay(answer: (line: string, socket: TLSSocket) => void): Promise<FakeRelay> {
  const { pem, fingerprint } = await (identity ??= makeIdentity());
  const heard: string[] = [];
  const open = new Set<TLSSocket>();
  const server = createServer({ key: pem, cert: pem }, (socket) => {
    open.add(socket);
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('data', (line: string) => {
      heard.push(line);
      answer(line, socket);
    });
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fingerprint,
    heard,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A home that joined it. */
export async function vantagesOf(relay: Pick<FakeRelay, 'address' | 'fingerprint'>) {
  const directory = await mkdtemp(join(tmpdir(), 'gw-keys-'));
  const keys = createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto });
  await keys.put(relayKeyName('vps'), 'preshared', new Secret(nodeCrypto.random(32)));
  const { address, fingerprint } = relay;
  const relays = [{ name: 'vps', address, fingerprint, home: 'a'.repeat(16) }];
  const told: string[] = [];
  const record = (_type: string, message: string): void => void told.push(message);
  return {
    vantages: new RelayVantages({ relays: () => relays, keys, record, saw: () => undefined }),
    told,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
