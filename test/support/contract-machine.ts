import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Carrier } from '../../src/core/carrier.ts';
import type { Provider } from '../../src/core/contract.ts';
import type { Ports, TorPort } from '../../src/core/ports.ts';
import type { TorInstance } from '../../src/core/tor-instance.ts';
import { appliedOf } from '../../src/daemon/applied.ts';
import { edgePart } from '../../src/parts/edge/index.ts';
import { namespacesPart } from '../../src/parts/namespaces/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { directoriesIn, pathsOf, type Paths } from '../../src/system/directories.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { createTorPort } from '../../src/system/tor.ts';
import { encodeBase32 } from '../../src/wire/onion.ts';
import type { ContractWorld } from '../conformance/part-contract.ts';
import { startGateway } from './gateway-machine.ts';
import { startMachine, type Machine } from './machine.ts';
import { unavailablePorts } from './unavailable-ports.ts';

export interface ContractMachineOptions {
  readonly open: () => Provider;
  /** Before the provider is first asked: keys that the daemon would have written. */
  readonly prepare?: (ports: Ports) => Promise<void>;
  readonly carrier?: () => Carrier;
  readonly stranger: (machine: Machine) => Promise<{ intact(): Promise<boolean> }>;
}

/** A machine of its own with the real helper on it: what a real provider is tried on. */
export async function contractMachine(options: ContractMachineOptions): Promise<ContractWorld> {
  const machine = await startMachine();
  const gateway = await startGateway(machine);
  const directory = await mkdtemp(join(tmpdir(), 'gwk-'));
  const paths = pathsOf(directoriesIn('/run/gw-root'));
  const keys = createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto });
  const tor = torPorts(machine, paths);
  const carrier = options.carrier === undefined ? {} : { carrier: options.carrier() };
  const ports = unavailablePorts({ keys, crypto: nodeCrypto, helper: gateway.helper, tor, ...carrier });
  await options.prepare?.(ports);
  return {
    ports,
    parts: [namespacesPart, edgePart],
    permit: (desired) => gateway.apply(appliedOf(desired)),
    open: options.open,
    plantStranger: () => options.stranger(machine),
    secrets: () => secretsIn(directory),
    close: async () => {
      for (const port of Object.values(tor)) await port.close();
      gateway.helper.close();
      await machine.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Our tor processes inside, as the daemon would see them. */
export function torPorts(machine: Machine, paths: Paths): Ports['tor'] {
  const of = (instance: TorInstance): TorPort => {
    const { torControl, torSocks } = paths.ofTor(instance);
    return createTorPort({
      controlSocket: machine.outside(torControl),
      socksSocket: machine.outside(torSocks),
    });
  };
  return { tor: of('tor'), 'tor-only': of('tor-only'), 'single-hop': of('single-hop') };
}

/** Every long word of every key file: the secret is one of them, whatever the format. */
async function secretsIn(directory: string): Promise<string[]> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const texts = files
    .filter((entry) => entry.isFile())
    .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8'));
  const words = (await Promise.all(texts)).flatMap((text) => text.split(/\s+/));
  const secrets = words.filter((word) => word.length >= 40);
  // Onion keys are written in base32.
  return secrets.flatMap((word) => [word, encodeBase32(Buffer.from(word, 'base64')).toUpperCase()]);
}
