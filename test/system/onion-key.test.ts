import { chmod, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { messageOf } from '../../src/core/errors.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { readOnionKey } from '../../src/system/onion-key.ts';
import { run } from '../../src/system/run.ts';
import { onionAddress, renderPublicKeyFile, renderSecretKeyFile } from '../../src/wire/onion.ts';

const top = await mkdtemp(join(tmpdir(), 'gw-onion-'));
afterAll(() => rm(top, { recursive: true }));

const made = (secret: Uint8Array) => {
  const publicKey = nodeCrypto.ed25519Public(secret);
  return { secret, publicKey, hostname: `${onionAddress(publicKey, nodeCrypto.sha3_256)}.onion` };
};
const key = made(nodeCrypto.ed25519ExpandedSecret());
const other = made(nodeCrypto.ed25519ExpandedSecret());
let directory: string;
let count = 0;
const at = (name: string): string => join(directory, name);
beforeEach(async () => {
  directory = join(top, `onion${(count += 1)}`);
  await mkdir(directory, { mode: 0o700 });
  await writeFile(at('hs_ed25519_secret_key'), renderSecretKeyFile(key.secret));
  await writeFile(at('hs_ed25519_public_key'), renderPublicKeyFile(key.publicKey));
  await writeFile(at('hostname'), `${key.hostname}\n`);
});
const refusal = async (path = directory): Promise<{ code: string; message: string; hint: string }> => {
  const error: unknown = await readOnionKey(path).then(
    () => new Error('it was read'),
    (cause: unknown) => cause,
  );
  const { code, hint } = error as { code: string; hint: string };
  expect(messageOf(error)).not.toContain(Buffer.from(key.secret).toString('base64').slice(0, 20));
  return { code, message: messageOf(error), hint };
};

it('reads a directory, its secret key file, and a key that was copied elsewhere alone', async () => {
  const alone = join(top, 'copied.key');
  await writeFile(alone, renderSecretKeyFile(key.secret));
  for (const path of [directory, at('hs_ed25519_secret_key'), alone]) {
    const { hostname, secret } = await readOnionKey(path);
    expect(hostname).toBe(key.hostname);
    expect(secret.reveal()).toEqual(key.secret);
    expect(JSON.stringify({ secret })).toContain('redacted');
  }
});

it('reads what tor itself has made, and derives the address that tor itself has derived', async () => {
  const data = join(top, 'tor');
  const service = join(data, 'shop');
  const options = ['--DataDirectory', data, '--HiddenServiceDir', service, '--HiddenServicePort', '80'];
  const torrc = join(top, 'torrc');
  await writeFile(torrc, '');
  const off = ['-f', torrc, '--defaults-torrc', torrc, '--SocksPort', '0', '--DisableNetwork', '1'] as const;
  const ending = AbortSignal.timeout(20_000);
  const tor = run(['tor', ...off, ...options], { signal: ending, timeoutMs: 3000 });
  await expect(tor).rejects.toMatchObject({ code: 'Timeout' });
  const { hostname } = await readOnionKey(service);
  expect(`${hostname}\n`).toBe(await readFile(join(service, 'hostname'), 'utf8'));
});

it('does without the public files, which follow from the secret', async () => {
  await rm(at('hs_ed25519_public_key'));
  await rm(at('hostname'));
  expect((await readOnionKey(directory)).hostname).toBe(key.hostname);
});

it.each<[string, () => Promise<unknown>, RegExp]>([
  ['a truncated secret', () => truncate(at('hs_ed25519_secret_key'), 60), /60 of 96 bytes/],
  ['an empty secret', () => truncate(at('hs_ed25519_secret_key'), 0), /it is empty/],
  ['a secret with more behind it', () => truncate(at('hs_ed25519_secret_key'), 97), /97 of 96 bytes/],
  [
    'a public key in place of the secret',
    async () => writeFile(at('hs_ed25519_secret_key'), await readFile(at('hs_ed25519_public_key'))),
    /it is a public key/,
  ],
  [
    'a version 2 key',
    () => writeFile(at('hs_ed25519_secret_key'), '-----BEGIN RSA PRIVATE KEY-----\n'),
    /another kind/,
  ],
  ['something else', () => writeFile(at('hs_ed25519_secret_key'), 'x'.repeat(96)), /does not begin/],
  [
    'another public key',
    () => writeFile(at('hs_ed25519_public_key'), renderPublicKeyFile(other.publicKey)),
    /another/,
  ],
  ['a damaged public key', () => truncate(at('hs_ed25519_public_key'), 12), /not a public key \(12 bytes\)/],
  ['another hostname', () => writeFile(at('hostname'), `${other.hostname}\n`), /gives [a-z2-7]{56}\.onion/],
  ['an empty hostname', () => truncate(at('hostname'), 0), /it says ""/],
])('refuses %s, and says which file', async (_what, damage, message) => {
  await damage();
  const { code, message: said, hint } = await refusal();
  expect(code).toBe('KeyCorrupt');
  expect(said).toMatch(message);
  expect(said).toContain(directory);
  expect(hint).toContain('nothing was imported');
});

it('says what to name instead of a path that holds no onion', async () => {
  expect(await refusal(join(top, 'nowhere'))).toMatchObject({ code: 'InvalidRequest' });
  await rm(at('hs_ed25519_secret_key'));
  expect((await refusal()).hint).toContain('HiddenServiceDir');
  await writeFile(at('private_key'), '-----BEGIN RSA PRIVATE KEY-----\n');
  expect((await refusal()).message).toContain('version 2');
});

it('does not read pipes and directories, and follows links', async () => {
  await rm(at('hs_ed25519_secret_key'));
  await run(['mkfifo', at('hs_ed25519_secret_key')], { signal: AbortSignal.timeout(5000) });
  expect((await refusal()).message).toContain('not a file');
  await rm(at('hs_ed25519_secret_key'));
  await writeFile(join(top, 'elsewhere'), renderSecretKeyFile(key.secret));
  await symlink(join(top, 'elsewhere'), at('hs_ed25519_secret_key'));
  expect((await readOnionKey(directory)).hostname).toBe(key.hostname);
});

it.skipIf(process.getuid?.() === 0)('says that root is needed for the files of another user', async () => {
  await chmod(directory, 0);
  expect(await refusal()).toMatchObject({ code: 'PermissionDenied', hint: expect.stringMatching(/root/) });
  await chmod(directory, 0o700);
});
