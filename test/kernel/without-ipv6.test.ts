import { expect, it } from 'vitest';
import { bootBriefly } from '../support/kernel-vm.ts';

/** Minutes under emulation, so it runs with `npm run test:kernel` only. */
it(
  'works over IPv4 on a kernel without IPv6, and says so once',
  async () => {
    const { facts, exitCode, output } = await bootBriefly('without-ipv6.sh', 'ipv6.disable=1');
    expect(exitCode, output).toBe(0);
    expect(facts).toMatchObject({
      'kernel-has-ipvsix': 'no',
      opened: 'The corner shop',
      addresses: '10.64.8.2/32',
      plan: '"changes":[]',
    });
    expect(facts['up-said']?.match(/speaks no IPv6/g)).toHaveLength(1);
  },
  20 * 60_000,
);
