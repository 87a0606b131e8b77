import { GatewayError } from '../../core/errors.ts';
import { run, type Argv } from '../../system/run.ts';
import { writeFileAtomic } from '../../system/files.ts';
import { lookUpUser } from '../../system/users.ts';
import { USERADD } from '../start.ts';
import { readText, type Ledger, type Step } from './steps.ts';

/** Users without a shell, a home or a password. */
export function userSteps(ledger: Ledger): Step[] {
  return Object.entries(USERADD).map(([name, command]) => ({
    say: `make the user ${name}`,
    isDone: () => isUser(name),
    run: async (signal) => {
      await ledger.add('users', name);
      await run(command.split(' ') as unknown as Argv, { signal });
    },
  }));
}

async function isUser(name: string): Promise<boolean> {
  try {
    await lookUpUser(name);
    return true;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'UserMissing') return false;
    throw error;
  }
}

/**
 * An uninstallation that keeps the users forgets that it made them, and the next installation finds them there. So it is
 * noted beside the keys that they own. Other names in it than ours mean nothing: the folder is not root's alone.
 */
export async function madeUsers(manifest: readonly string[], note: string): Promise<string[]> {
  const noted = ((await readText(note)) ?? '').split('\n');
  const ours = Object.keys(USERADD).filter((name) => noted.includes(name));
  return [...new Set([...ours, ...manifest])];
}

export async function noteUsers(users: readonly string[], note: string): Promise<void> {
  if (users.length === 0) return;
  await writeFileAtomic(note, `${users.join('\n')}\n`, { mode: 0o644 });
}

/** Group `gateway-tor` has the member gateway; a group goes with its user when it is empty. */
export async function removeUsers(names: readonly string[], signal: AbortSignal): Promise<void> {
  for (const name of names.toReversed()) {
    if (await isUser(name)) await run(['userdel', name], { signal });
  }
}
