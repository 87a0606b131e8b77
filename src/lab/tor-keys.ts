import { generateKeyPair } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GatewayError } from '../core/errors.ts';
import { run, type Argv } from '../system/run.ts';
import { environmentOutside } from './places.ts';
import { DIRECTORY_PORT, OR_PORT, type Relay } from './tor-network.ts';

/** tor-gencert insists on one. */
const PASSPHRASE = 'lab';

/** Makes the keys of a private Tor network: one folder for each relay, and `relays.json`. A third of a second of CPU each. */
export async function makeTorKeys(
  directory: string,
  addresses: readonly string[],
  exits: number,
  signal: AbortSignal,
): Promise<Relay[]> {
  // tor refuses /dev/null as a config file.
  await writeFile(join(directory, 'empty'), '');
  const relays = await Promise.all(
    addresses.map((address, index) => {
      const isExit = index >= addresses.length - exits;
      return makeRelay(directory, { name: `${isExit ? 'exit' : 'relay'}${index}`, address, isExit, signal });
    }),
  );
  await writeFile(join(directory, 'relays.json'), JSON.stringify(relays, undefined, 1));
  return relays;
}

interface RelayOptions {
  readonly name: string;
  readonly address: string;
  readonly isExit: boolean;
  readonly signal: AbortSignal;
}

async function makeRelay(directory: string, options: RelayOptions): Promise<Relay> {
  const { name, address, isExit, signal } = options;
  const keys = join(directory, name, 'keys');
  const certificate = join(keys, 'authority_certificate');
  const identity = join(directory, `${name}.identity`);
  const env = environmentOutside();
  await mkdir(keys, { recursive: true, mode: 0o700 });
  await writeFile(identity, await identityKey(), { mode: 0o600 });
  const authority = ['-m', '24', '-a', `${address}:${DIRECTORY_PORT}`, '--passphrase-fd', '0'];
  const files = ['-i', identity, '-s', join(keys, 'authority_signing_key'), '-c', certificate];
  await run(['tor-gencert', ...authority, ...files], { signal, input: `${PASSPHRASE}\n`, env });
  const { stdout } = await run(fingerprintCommand(directory, name, address), { signal, env });
  const fingerprint = match(/^\S+ ((?:[0-9A-F]{4} ?){10})$/m, stdout, 'tor --list-fingerprint');
  return {
    name,
    address,
    isExit,
    identity: match(/^fingerprint (\w+)$/m, await readFile(certificate, 'utf8'), certificate),
    fingerprint: fingerprint.replaceAll(' ', ''),
  };
}

/** 2048 bits instead of the 3072 of `tor-gencert --create-identity-key`, which takes a second or two for each. */
async function identityKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const protection = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE };
  return privateKey.export({ type: 'pkcs8', format: 'pem', ...protection }).toString();
}

function fingerprintCommand(directory: string, name: string, address: string): Argv {
  const empty = join(directory, 'empty');
  const place = ['--datadirectory', join(directory, name), '--nickname', name];
  const listening = ['--orport', `${address}:${OR_PORT}`, '--address', address];
  // A relay must know some authority, even to print its own name.
  const authority = ['--dirauthority', `none 127.0.0.1:1 ${'f'.repeat(40)}`];
  const quiet = ['-f', empty, '--defaults-torrc', empty, '--list-fingerprint', '--quiet'];
  return ['tor', ...quiet, ...place, ...listening, ...authority];
}

function match(pattern: RegExp, text: string, source: string): string {
  const found = pattern.exec(text)?.[1];
  if (found !== undefined) return found;
  throw new GatewayError(`${source} shows no fingerprint: ${text.slice(0, 200)}`, { code: 'LabFailed' });
}

/** Until when the keys may be used; directory authorities' certificates end after two years. */
export async function keysExpire(directory: string, relays: readonly Relay[]): Promise<Date> {
  const ends = await Promise.all(
    relays.map(async ({ name }) => {
      const certificate = await readFile(join(directory, name, 'keys', 'authority_certificate'), 'utf8');
      const [day, time] = match(/^dir-key-expires (\S+ \S+)$/m, certificate, name).split(' ');
      return Date.parse(`${day}T${time}Z`);
    }),
  );
  return new Date(Math.min(...ends));
}
