import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cliGateway } from '../support/cli-gateway.ts';
import { device, MINTED_MACAROON, ONION, service, status } from '../support/recording-control.ts';

/** What was shown once must not be found by whoever scrolls back. */
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const WIPE = '\u001b[H\u001b[2J\u001b[3J';
let gateway: Awaited<ReturnType<typeof cliGateway>>;
beforeEach(async () => {
  gateway = await cliGateway({
    handouts: () =>
      Promise.resolve([
        {
          kind: 'link',
          label: 'lnd',
          file: 'lnd',
          secret: false,
          text: ONION.replace('http', 'tcp') + ':8080',
        },
      ]),
  });
});
afterEach(() => gateway.close());

/** The command at a terminal of its own; `script` (bsdutils, on every Debian) makes one. */
function atTerminal(...argv: string[]) {
  const line = [process.execPath, MAIN, '--socket', gateway.socket, ...argv].join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm' },
  });
  let seen = '';
  child.stdout.on('data', (chunk: Buffer) => void (seen += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return {
    seen: () => seen,
    type: (keys: string) => void child.stdin.write(keys),
    says: (text: string) => expect.poll(() => seen, { timeout: 10_000 }).toContain(text),
    ended,
  };
}
/** What the terminal still has after the last wiping. */
const left = (seen: string): string => seen.slice(seen.lastIndexOf(WIPE) + WIPE.length);

it('the code of a device is wiped once its owner says that it is saved', async () => {
  const run = atTerminal('device', 'add', 'phone', '--service', 'shop', '--no-wait');
  await run.says('Press Enter');
  expect(run.seen()).toContain('▀');
  expect(run.seen()).not.toContain(WIPE);
  run.type('\r');
  expect(await run.ended).toBe(0);
  expect(run.seen()).toContain(WIPE);
  expect(left(run.seen())).not.toMatch(/[▀█]/);
});

it('the device itself says so with its handshake, and the result stays to be read', async () => {
  const run = atTerminal('device', 'add', 'phone', '--service', 'shop');
  await run.says('Waiting for the handshake');
  gateway.world.status = status({
    devices: [device('phone', { latestHandshake: new Date(Date.now() + 2000).toISOString() })],
  });
  expect(await run.ended).toBe(0);
  expect(left(run.seen())).toContain('phone is connected');
  expect(left(run.seen())).not.toMatch(/[▀█]/);
});

it('Ctrl-C leaves it, and says how it is wiped', async () => {
  const run = atTerminal('device', 'add', 'phone', '--service', 'shop', '--no-wait');
  await run.says('Press Enter');
  run.type('\u0003');
  await run.ended;
  expect(run.seen()).not.toContain(WIPE);
  expect(run.seen()).toContain('It is still in this terminal');
});

it('a wallet’s code is wiped too, and what is public is not', async () => {
  gateway.world.status = status({ services: [service('lnd', { kind: 'lnd' })] });
  const secret = MINTED_MACAROON.toString('base64url');
  const run = atTerminal('qr', 'lnd', '--wallet', 'zeus', '--device', 'phone');
  await run.says('Press Enter');
  expect(run.seen()).toContain(secret);
  run.type('\r');
  expect(await run.ended).toBe(0);
  expect(left(run.seen())).not.toContain(secret);
  const open = atTerminal('qr', 'lnd');
  expect(await open.ended).toBe(0);
  expect(open.seen()).not.toContain('Press Enter');
});

it('what is not at a terminal is not asked and not wiped', async () => {
  const { stdout, stderr } = await gateway.run('device', 'add', 'phone', '--service', 'shop', '--no-wait');
  expect(`${stdout}${stderr}`).not.toMatch(/Press Enter|\[3J/);
});
