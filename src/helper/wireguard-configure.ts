import { basename } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import type { OperationArguments } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { nodeCrypto } from '../system/crypto.ts';
import { readFileIfExists } from '../system/files.ts';
import { inNetns } from '../system/netns.ts';
import { run } from '../system/run.ts';
import { decodeKey, encodeKey, type WireguardDump } from '../wire/wireguard.ts';
import type { HelperEnvironment } from './environment.ts';
import { hubNetns } from './names.ts';
import { withSecretFile } from './secret-file.ts';
import { within } from './wireguard-go.ts';
import { dumpInterface } from './wireguard-links.ts';

const BIND_TIMEOUT_MS = 3000;

/** wireguard-go looks once a second whether an interface in another namespace came up; only then does it open its socket. */
export async function waitUntilBound(
  network: Network,
  name: string,
  signal: AbortSignal,
): Promise<WireguardDump> {
  let dump: WireguardDump | undefined;
  const isBound = await within(BIND_TIMEOUT_MS, signal, async () => {
    dump = await dumpInterface(network, { name, place: 'hub' }, signal);
    return dump !== undefined && dump.listenPort !== 0;
  });
  if (isBound && dump !== undefined) return dump;
  throw new GatewayError(`WireGuard interface ${name} opened no UDP socket within ${BIND_TIMEOUT_MS} ms`, {
    code: 'Timeout',
  });
}

/** In place, and only what differs from what it said of itself: sessions go on when nothing changes. */
export async function setKeyAndPort(
  input: OperationArguments<'wireguard.ensure'>,
  dump: WireguardDump | undefined,
  environment: Pick<HelperEnvironment, 'directories'>,
  signal: AbortSignal,
): Promise<void> {
  const { network, name, privateKey, listenPort } = input;
  const hub = hubNetns(network);
  const secret = decodeKey(privateKey) ?? new Uint8Array(32);
  if (dump?.publicKey !== encodeKey(nodeCrypto.curve25519Public(secret))) {
    await withSecretFile(environment.directories.run, `${privateKey}\n`, (path) =>
      run(inNetns(hub, ['wg', 'set', name, 'private-key', path]), { signal }),
    );
  }
  if (dump?.listenPort === listenPort) return;
  const setPort = (port: number) => inNetns(hub, ['wg', 'set', name, 'listen-port', String(port)]);
  const ran = await run(setPort(listenPort), { signal, accept: [0, 1] });
  if (ran.exitCode === 0) return;
  // The socket of before is closed by now, or the kernel claims a port that it does not have.
  if (dump !== undefined && dump.listenPort !== 0)
    await run(setPort(dump.listenPort), { signal, accept: [0, 1] });
  if (ran.stderr.includes('Address already in use')) throw await portInUse(listenPort, signal);
  throw new GatewayError(`${name} could not listen on UDP port ${listenPort}: ${ran.stderr.trim()}`, {
    code: 'CommandFailed',
  });
}

async function portInUse(port: number, signal: AbortSignal): Promise<GatewayError> {
  const holder = await holderOf(port, signal);
  return new GatewayError(`UDP port ${port} is taken${holder === undefined ? '' : ` by ${holder}`}`, {
    code: 'PortInUse',
    hint: 'stop that program, or choose another port in gateway.yaml: wireguard: { port: … }',
  });
}

/** `python3 (process 123)`; `undefined` when it cannot be told, as for a WireGuard of the kernel. */
async function holderOf(port: number, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await run(['ss', '-H', '-u', '-l', '-n', '-p', `sport = :${port}`], { signal });
    const [, thread, pid] = /\(\("([^"]+)",pid=([0-9]+)/.exec(stdout) ?? [];
    if (thread === undefined || pid === undefined) return undefined;
    // `ss` tells the name of a thread; people know programs by what was started.
    const command = (await readFileIfExists(`/proc/${pid}/cmdline`))?.toString().split('\0')[0] ?? '';
    return `${basename(command) || thread} (process ${pid})`;
  } catch (error) {
    // Naming the program is a courtesy: the port is taken all the same.
    if (error instanceof GatewayError && error.code !== 'Aborted') return undefined;
    throw error;
  }
}
