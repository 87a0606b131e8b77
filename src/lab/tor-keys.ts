import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { run } from '../system/run.ts';
import { environmentOutside } from './places.ts';
import { DIRECTORY_PORT, OR_PORT, type Relay } from './tor-network.ts';

/** Makes the keys of a private Tor network: one folder for each relay, and `relays.json`. Half a second of CPU each. */
export async function makeTorKeys(
  directory: string,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Relay[]> {
  // tor refuses /dev/null as a config file.
  await writeFile(join(directory, 'empty'), '');
  const relays = await Promise.all(
    addresses.map((address, index) =>
      makeRelay(directory, address, index === addresses.length - 1, index, signal),
    ),
  );
  await writeFile(join(directory, 'relays.json'), JSON.stringify(relays, undefined, 1));
  return relays;
}

async function makeRelay(
  directory: string,
  address: string,
  isExit: boolean,
  index: number,
  signal: AbortSignal,
): Promise<Relay> {
  const name = `${isExit ? 'exit' : 'relay'}${index}`;
  const keys = join(directory, name, 'keys');
  await mkdir(keys, { recursive: true, mode: 0o700 });
  const certificate = join(keys, 'authority_certificate');
  const env = environmentOutside();
  await run(
    [
      ...([
        'tor-gencert',
        '--create-identity-key',
        '-m',
        '24',
        '-a',
        `${address}:${DIRECTORY_PORT}`,
      ] as const),
      ...['--passphrase-fd', '0', '-i', join(directory, `${name}.identity`)],
      ...['-s', join(keys, 'authority_signing_key'), '-c', certificate],
    ],
    { signal, input: 'lab\n', env },
  );
  const { stdout } = await run(fingerprintCommand(directory, name, address), { signal, env });
  return {
    name,
    address,
    isExit,
    identity: match(/^fingerprint (\w+)$/m, await readFile(certificate, 'utf8'), certificate),
    fingerprint: match(/^\S+ ((?:[0-9A-F]{4} ?){10})$/m, stdout, 'tor --list-fingerprint').replaceAll(
      ' ',
      '',
    ),
  };
}

function fingerprintCommand(directory: string, name: string, address: string): [string, ...string[]] {
  const empty = join(directory, 'empty');
  return [
    ...(['tor', '-f', empty, '--defaults-torrc', empty, '--list-fingerprint', '--quiet'] as const),
    ...['--orport', `${address}:${OR_PORT}`, '--address', address, '--datadirectory', join(directory, name)],
    // A relay must know some authority, even to print its own name.
    ...['--nickname', name, '--dirauthority', `none 127.0.0.1:1 ${'f'.repeat(40)}`],
  ];
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
