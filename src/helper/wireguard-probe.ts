import { GatewayError } from '../core/errors.ts';
import type { Network } from '../core/service.ts';
import { inNetns } from '../system/netns.ts';
import { run } from '../system/run.ts';
import { decodeKey, encodeKey, type WireguardDump } from '../wire/wireguard.ts';
import { isProbe, probePresharedKey } from '../wire/wireguard-probe.ts';
import type { Handler } from './environment.ts';
import { hubNetns } from './names.ts';
import { withSecretFile } from './secret-file.ts';
import { demandDump, demandHub, dumpInHub } from './wireguard.ts';

/** Without allowed addresses: its packets are dropped, and nothing is sent to it but the answer to its handshake. */
export const ensureProbe: Handler<'wireguard.ensureProbe'> = async (input, environment, signal) => {
  const { network, name, publicKey } = input;
  const hub = await demandHub(network);
  const dump = await demandDump(network, name, environment, signal);
  const own = decodeKey(dump.publicKey);
  const found = dump.peers.find((peer) => peer.publicKey === publicKey);
  if (own === undefined || (found !== undefined && !isProbe(found, dump.publicKey))) {
    throw new GatewayError(`${name} cannot be proved with the key of one of its peers`, {
      code: 'InvalidRequest',
      retry: 'never',
    });
  }
  await removeProbes(network, name, dump, signal);
  await withSecretFile(environment.directories.run, `${encodeKey(probePresharedKey(own))}\n`, (path) =>
    run(inNetns(hub, ['wg', 'set', name, 'peer', publicKey, 'preshared-key', path]), { signal }),
  );
  return {};
};

export const removeProbe: Handler<'wireguard.removeProbe'> = async (
  { network, name },
  environment,
  signal,
) => {
  const dump = await dumpInHub(network, name, environment, signal);
  if (dump !== undefined) await removeProbes(network, name, dump, signal);
  return {};
};

async function removeProbes(
  network: Network,
  name: string,
  dump: WireguardDump,
  signal: AbortSignal,
): Promise<void> {
  for (const peer of dump.peers.filter((each) => isProbe(each, dump.publicKey))) {
    const remove = ['wg', 'set', name, 'peer', peer.publicKey, 'remove'] as const;
    await run(inNetns(hubNetns(network), [...remove]), { signal });
  }
}
