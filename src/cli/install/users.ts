import { GatewayError } from '../../core/errors.ts';
import { run, type Argv } from '../../system/run.ts';
import { lookUpUser } from '../../system/users.ts';
import { USERADD } from '../start.ts';
import type { Ledger, Step } from './steps.ts';

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

/** Group `gateway-tor` has the member gateway; a group goes with its user when it is empty. */
export async function removeUsers(names: readonly string[], signal: AbortSignal): Promise<void> {
  for (const name of names.toReversed()) {
    if (await isUser(name)) await run(['userdel', name], { signal });
  }
}
