import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeKey, renderConf } from '../../src/wire/wireguard.ts';
import type { Machine } from './machine.ts';

/** A device with keys; its phone is a network namespace of the same name, on a network of its own. */
export function makeDevice(name: string, number: number) {
  const secret = nodeCrypto.curve25519Secret();
  return {
    name,
    number,
    address: `10.64.8.${number}`,
    outside: `11.2.${number}.2`,
    privateKey: encodeKey(secret),
    publicKey: encodeKey(nodeCrypto.curve25519Public(secret)),
    presharedKey: encodeKey(randomBytes(32)),
  };
}
export type TestDevice = ReturnType<typeof makeDevice>;

export function inNetns(machine: Machine, netns: string, ...argv: string[]): Promise<string> {
  return machine.sh('nsenter', `--net=/run/netns/${netns}`, '--', ...argv);
}

export async function connectToInternet(
  machine: Machine,
  { name, number, outside }: TestDevice,
): Promise<void> {
  await machine.sh('ip', 'netns', 'add', name);
  await machine.sh('ip', 'link', 'add', `to${name}`, 'type', 'veth', 'peer', 'name', 'net0', 'netns', name);
  await machine.sh('ip', 'addr', 'add', `11.2.${number}.1/24`, 'dev', `to${name}`);
  await machine.sh('ip', 'link', 'set', `to${name}`, 'up');
  await inNetns(machine, name, 'ip', 'addr', 'add', `${outside}/24`, 'dev', 'net0');
  await inNetns(machine, name, 'ip', 'link', 'set', 'net0', 'up');
  await inNetns(machine, name, 'ip', 'route', 'add', 'default', 'via', `11.2.${number}.1`);
}

/** Brings the tunnel up with the stock tools. */
export async function importConf(
  machine: Machine,
  device: TestDevice,
  gateway: { readonly publicKey: string; readonly endpoint: string; readonly pool: string },
): Promise<void> {
  const conf = renderConf({
    privateKey: device.privateKey,
    address: device.address,
    peerPublicKey: gateway.publicKey,
    presharedKey: device.presharedKey,
    allowedIps: [gateway.pool],
    endpoint: gateway.endpoint,
    persistentKeepaliveSeconds: 25,
  });
  const file = `/run/${device.name}.conf`;
  await writeFile(machine.outside(file), conf, { mode: 0o600 });
  // With LOG_LEVEL set, the wireguard-go of the phone would keep our pipes open for ever.
  const choice = 'WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go';
  await inNetns(machine, device.name, 'env', '--unset=LOG_LEVEL', choice, 'wg-quick', 'up', file);
}
