import type { Check, Finding } from '../check.ts';
import type { FindingCode } from '../findings.ts';
import { text } from '../messages/message.ts';
import type { Disk } from '../world.ts';

const MIB = 1024 * 1024;
/** The state and its snapshot are written whole, beside what they replace. */
const FULL_BYTES = 8 * MIB;
const LOW_BYTES = 256 * MIB;
/** Of the files that a disk can hold. */
const LOW_FILES = 0.01;

/** Room for the state, keys and certificates: where there is none, nothing that is changed can be kept. */
export const disk: Check = {
  name: 'disk',
  title: 'disk.name',
  needs: [],
  deadlineMs: 5000,
  run: async ({ world, see }) => {
    const disks = await world.disks();
    const id = see('space', 'statfs', disks);
    const findings = disks.flatMap((each) => findingsOf(each, id));
    const least = disks.toSorted((a, b) => a.freeBytes - b.freeBytes)[0];
    if (least === undefined) return { text: text('disk.unknown'), isUnknown: true };
    return { text: text('disk.free', { size: sizeText(least.freeBytes), path: least.path }), findings };
  },
};

function findingsOf(disk: Disk, evidence: string): Finding[] {
  const code = codeOf(disk);
  if (code === undefined) return [];
  const { path, freeBytes, freeFiles } = disk;
  return [
    {
      code,
      values: { path, size: sizeText(freeBytes), files: freeFiles },
      because: [evidence],
      fix:
        code === 'DISK_READ_ONLY'
          ? [{ text: text('disk.fix.read-only'), command: 'sudo dmesg | tail -50', who: 'you' }]
          : [
              {
                text: text('disk.fix.look'),
                command: `sudo du -xh --max-depth=2 / | sort -h | tail -20`,
                who: 'you',
              },
              { text: text('disk.fix.remove'), command: 'sudo journalctl --vacuum-size=200M', who: 'you' },
            ],
    },
  ];
}

function codeOf({ isReadOnly, freeBytes, freeFiles, totalFiles }: Disk): FindingCode | undefined {
  if (isReadOnly) return 'DISK_READ_ONLY';
  const files = totalFiles === 0 ? 1 : freeFiles / totalFiles;
  if (freeBytes < FULL_BYTES || files === 0) return 'DISK_FULL';
  return freeBytes < LOW_BYTES || files < LOW_FILES ? 'DISK_LOW' : undefined;
}

function sizeText(bytes: number): string {
  return bytes < 10 * 1024 * MIB ? `${Math.round(bytes / MIB)} MiB` : `${Math.round(bytes / MIB / 1024)} GiB`;
}
