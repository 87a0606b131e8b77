import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Progress } from '../../core/control.ts';
import { GatewayError } from '../../core/errors.ts';
import { run } from '../../system/run.ts';
import { Far, type FarPlace } from './far.ts';
import { layoutIn } from './layout.ts';
import { copyProgram, examineProgram } from './program.ts';
import { ownFolder } from './run.ts';

const Invited = z.object({ invite: z.string().nullable() });
/** As `uname -m` says it, by the name that Node has for it. */
const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };
/** Debian's packages of what a relay calls by name. */
const NEEDED = {
  haproxy: 'haproxy',
  nft: 'nftables',
  wg: 'wireguard-tools',
  conntrack: 'conntrack',
} as const;

export interface InstallFar {
  readonly place: FarPlace;
  /** Options of `relay install`. */
  readonly words: readonly string[];
  readonly isInvited: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Makes a machine a relay by ssh, with this same program; resolves with an invite of it, when one is wanted. */
export async function installFar({
  place,
  words,
  isInvited,
  progress,
  signal,
}: InstallFar): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'gw-add-'));
  const far = new Far(place, folder, signal);
  try {
    progress(`asking ${place.host} what it is`);
    await demandFits(far, place);
    await bringPrograms(far, progress);
    const brought = await bring(far, folder, progress, signal);
    progress(`making ${place.host} a relay`);
    const { command } = brought;
    const { stdout } = await far.run([command, '--json', 'relay', 'install', ...words]);
    const { invite } = Invited.parse(JSON.parse(stdout));
    const text = isInvited ? (invite ?? (await anotherInvite(far, command))) : undefined;
    if (brought.folder !== undefined) await far.run(['rm', '-r', brought.folder]);
    return text;
  } finally {
    await far.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function anotherInvite(far: Far, command: string): Promise<string> {
  const { stdout } = await far.run([command, '--json', 'relay', 'invite']);
  return Invited.parse(JSON.parse(stdout)).invite ?? '';
}

async function demandFits(far: Far, { user, host }: FarPlace): Promise<void> {
  const [uid, system, machine] = (await far.run(['id', '-u'])).stdout
    .concat((await far.run(['uname', '-sm'])).stdout)
    .trim()
    .split(/\s+/);
  if (uid !== '0') {
    throw new GatewayError(`${user} is not root on ${host}, and a relay needs root`, {
      code: 'PermissionDenied',
      hint: `gateway relay add ssh://root@${host}; or on that machine: sudo gateway relay install`,
    });
  }
  const ours = MACHINES[process.arch];
  if (system === 'Linux' && machine === ours) return;
  throw new GatewayError(`${host} is ${system} on ${machine}, and this program is for Linux on ${ours}`, {
    code: 'NotSupported',
    hint: 'unpack the program for that machine there, run bin/setup, then: sudo bin/gateway relay install',
  });
}

/** Only what is not there; the distribution's own units of them stay as they are. */
async function bringPrograms(far: Far, progress: Progress): Promise<void> {
  const missing: string[] = [];
  for (const [program, packageName] of Object.entries(NEEDED)) {
    if ((await far.run(['which', program], [0, 1])).exitCode !== 0) missing.push(packageName);
  }
  if (missing.length === 0) return;
  progress(`installing ${missing.join(', ')} there`);
  const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q'];
  try {
    await far.run([...apt, 'update']);
    await far.run([...apt, 'install', '--yes', '--no-install-recommends', ...missing]);
  } catch (cause) {
    if (!(cause instanceof GatewayError) || cause.code !== 'CommandFailed') throw cause;
    throw new GatewayError(`these could not be installed there: ${missing.join(', ')}: ${cause.message}`, {
      code: 'CommandMissing',
      hint: 'install them on that machine, then say this again',
      cause,
    });
  }
}

interface Brought {
  readonly command: string;
  /** In which it came; absent: it was there. */
  readonly folder?: string;
}

/** The program, in a folder of its own that nobody else there could have made before; unless this version is there. */
async function bring(far: Far, folder: string, progress: Progress, signal: AbortSignal): Promise<Brought> {
  const program = await examineProgram(ownFolder());
  const installed = join(layoutIn('/').versions, program.id, 'bin/gateway');
  if ((await far.run(['test', '-x', installed], [0, 1])).exitCode === 0) return { command: installed };
  progress('bringing the program there');
  const archive = join(folder, 'program.tar.gz');
  await copyProgram(program, join(folder, program.id), signal);
  // Half the size in a tenth of the time that the best would take.
  await run(['tar', '-C', folder, '-I', 'gzip -1', '-cf', archive, program.id], {
    signal,
    timeoutMs: 300_000,
  });
  const there = (await far.run(['mktemp', '-d'])).stdout.trim();
  await far.copy(archive, `${there}/program.tar.gz`);
  await far.run(['tar', '-C', there, '-xzf', `${there}/program.tar.gz`]);
  return { folder: there, command: `${there}/${program.id}/bin/gateway` };
}
