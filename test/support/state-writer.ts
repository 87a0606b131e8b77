/**
 * `node state-writer.ts write DIR`: makes a key and adds a device, again and again; prints the number of each once it was
 * acknowledged. `node state-writer.ts check DIR ACKNOWLEDGED`: reads what a power cut left and prints what is wrong.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '../../src/core/errors.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys } from '../../src/system/keys.ts';
import { openStore } from '../../src/system/store/index.ts';

const [, , verb, directory = '', acknowledged = '0'] = process.argv;
mkdirSync(join(directory, 'keys'), { recursive: true });
const store = openStore({
  database: join(directory, 'state.db'),
  snapshot: join(directory, 'snapshot.json'),
});
const keys = createKeys({ directory: join(directory, 'keys'), registry: store, crypto: nodeCrypto });

async function write(): Promise<never> {
  for (let index = store.devices().length + 1; ; index += 1) {
    const secret = await keys.ensure(`device/${index}`, 'curve25519');
    const publicKey = Buffer.from(nodeCrypto.curve25519Public(secret.reveal())).toString('base64');
    const device = { name: `d${index}`, services: ['shop'], publicKey, addedAt: '2026-01-01T00:00:00.000Z' };
    await store.commit({ putDevices: [device], ledger: { wireguard: { count: index } } });
    process.stdout.write(`${index}\n`);
  }
}

async function check(known: number): Promise<string[]> {
  const devices = store.devices();
  const wrong: string[] = [];
  if (devices.length < known || devices.length > known + 1)
    wrong.push(`${known} acknowledged, ${devices.length} found`);
  if (store.ledger()['wireguard']?.['count'] !== (devices.length || undefined))
    wrong.push('ledger and devices disagree');
  for (const { name, publicKey } of devices) {
    const found = await publicKeyOf(`device/${name.slice(1)}`);
    if (found !== publicKey) wrong.push(`key of ${name}: ${found}`);
  }
  return wrong;
}

async function publicKeyOf(name: string): Promise<string> {
  try {
    const secret = await keys.read(name, 'curve25519');
    if (secret === undefined) return 'never existed';
    return Buffer.from(nodeCrypto.curve25519Public(secret.reveal())).toString('base64');
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return error.message;
  }
}

if (verb === 'write') await write();
else process.stdout.write(`${JSON.stringify(await check(Number(acknowledged)))}\n`);
