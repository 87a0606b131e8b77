import type { Check, Finding } from '../check.ts';
import { text } from '../messages/message.ts';

/** WireGuard is part of kernels from here on; before, wireguard-go does its work, slowly. */
const OLDEST_KERNEL = [5, 6] as const;

/** What the gateway runs, and the package of Debian that has it. */
const PROGRAMS = [
  { name: 'ip', package: 'iproute2', question: ['-V'] },
  { name: 'nft', package: 'nftables', question: ['--version'] },
  { name: 'wg', package: 'wireguard-tools', question: ['--version'] },
  { name: 'haproxy', package: 'haproxy', question: ['-v'] },
  { name: 'conntrack', package: 'conntrack', question: ['--version'] },
] as const;

/** Programs and kernel that a gateway needs; where none is set up, what would be needed for one is said, and no more. */
export const programs: Check = {
  name: 'programs',
  title: 'programs.name',
  needs: [],
  deadlineMs: 7000,
  run: async ({ world, signal, see }) => {
    const shown = await Promise.all(
      PROGRAMS.map(({ name, question }) => world.program([name, ...question], signal)),
    );
    const missing = PROGRAMS.filter((_, index) => shown[index] === undefined);
    const { kernel } = world.machine;
    const id = see('programs', 'version', {
      kernel,
      programs: PROGRAMS.map(({ name }, index) => ({
        name,
        says: shown[index]?.stdout.split('\n')[0] ?? null,
      })),
    });
    const isSetUp = (await world.gateway()).state !== 'none';
    const findings = [
      ...(isOld(kernel) ? [oldFinding(kernel, id)] : []),
      ...(missing.length === 0 ? [] : [missingFinding(missing, isSetUp, id)]),
    ];
    const said =
      missing.length === 0
        ? text('programs.ok', { kernel })
        : text('programs.missing', { names: missing.map(({ name }) => name).join(', ') });
    return { text: said, findings };
  },
};

function oldFinding(kernel: string, evidence: string): Finding {
  return {
    code: 'KERNEL_OLD',
    values: { kernel, oldest: OLDEST_KERNEL.join('.') },
    because: [evidence],
    fix: [{ text: text('programs.fix.kernel'), who: 'you' }],
  };
}

function missingFinding(
  missing: readonly (typeof PROGRAMS)[number][],
  isSetUp: boolean,
  evidence: string,
): Finding {
  const names = missing.map(({ name }) => name).join(', ');
  const packages = missing.map((one) => one.package).join(' ');
  return {
    code: 'PROGRAM_MISSING',
    severity: isSetUp ? 'error' : 'note',
    values: { names },
    because: [evidence],
    fix: [
      {
        text: text('programs.fix.install'),
        command: `sudo apt-get install --no-install-recommends ${packages}`,
        who: 'you',
      },
    ],
  };
}

/** `6.1.0-30-amd64` */
function isOld(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1]);
}
