import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { boot } from '../support/kernel-vm.ts';

/**
 * Installed for real: Debian's kernel, systemd as process 1, the machine started twice. A phone in a namespace of its own
 * uses the kernel's WireGuard on both ends. Minutes under emulation, so it runs with `npm run test:kernel` only.
 */
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gw-kernel-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const MINUTES = 60_000;

it(
  'installs, opens ways in, and keeps them open when both processes are killed',
  async () => {
    const { facts, exitCode, output } = await boot('first-boot.sh', join(directory, 'disk'));
    expect(exitCode, output).toBe(0);
    expect(facts).toMatchObject({
      again: '"done":[]',
      gateway: 'active',
      'gateway-helper': 'active',
      'gateway-tor': 'active',
      wireguard: '51820',
      'wireguard-go': '0',
      opened: 'The corner shop',
      'opened-over-ipvsix': 'The corner shop',
      'while-dead': 'The corner shop',
      'after-kill': 'active active ',
      'same-tor': 'yes',
      plan: '"changes":[]',
      'data-path-in-daemon': '0',
    });
    // Lower is better; systemd calls 2 and less "OK".
    expect(Number(facts['security-gateway'])).toBeLessThan(2.1);
    expect(Number(facts['security-gateway-tor'])).toBeLessThan(3);
  },
  20 * MINUTES,
);

it(
  'is there again after a restart of the machine; uninstall leaves what was there before, and the keys',
  async () => {
    const { facts, exitCode, output } = await boot('second-boot.sh', join(directory, 'disk'));
    expect(exitCode, output).toBe(0);
    expect(facts).toMatchObject({
      shop: 'active',
      gateway: 'active',
      tor: 'active',
      opened: 'The corner shop',
      upgraded: 'active',
      refused: '1',
      'went-back': 'active',
      'same-tor': 'yes',
      'opened-after': 'The corner shop',
      uninstalled: 'yes',
      'keys-kept': expect.stringMatching(/^[1-9]/),
      'users-kept': '3',
      left: '0 0',
      'new-files': '/etc/gateway /var/lib/gateway',
      'new-users': 'gateway gateway-edge gateway-tor',
    });
  },
  20 * MINUTES,
);
