import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { networkFor } from '../../src/core/allocate.ts';
import type { Applied } from '../../src/core/applied.ts';
import type { OperationArguments, OperationName, OperationResult } from '../../src/core/operations.ts';
import type { Helper } from '../../src/core/ports.ts';
import type { Network } from '../../src/core/service.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { createHelper } from '../../src/system/helper-client.ts';
import type { Machine } from './machine.ts';

const HELPER = resolve(import.meta.dirname, 'helper-process.ts');
const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');

export interface Gateway {
  readonly network: Network;
  readonly helper: Helper & { close(): void };
  readonly socket: string;
  /** Writes applied.json as the daemon would. */
  apply(config: Partial<Applied>): Promise<void>;
  call<Name extends OperationName>(
    name: Name,
    input: Omit<OperationArguments<Name>, 'network'>,
  ): Promise<OperationResult<Name>>;
  /** kill -9 */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** A real helper in the machine, on its real socket, with its own directories, prefix and pool. */
export async function startGateway(
  machine: Machine,
  prefix = 'gw',
  pool = '10.64.0.0/20',
  ula?: string,
): Promise<Gateway> {
  const root = `/run/${prefix}-root`;
  const network = networkFor(prefix, pool, ula);
  const inside = pathsOf(directoriesIn(root));
  const socket = machine.outside(inside.helperSocket);
  const helper = createHelper(socket);
  let running = await startHelper(machine, root);
  const kill = async (): Promise<void> => {
    const ended = once(running.process, 'exit');
    await machine.sh('kill', '-9', running.pid);
    await ended;
  };
  return {
    network,
    helper,
    socket,
    apply: async (config) => {
      const applied: Applied = { network, services: {}, devices: [], ports: [], ...config };
      await writeFile(machine.outside(inside.applied), JSON.stringify(applied));
    },
    call: (name, input) => {
      const whole = { network, ...input } as unknown as OperationArguments<typeof name>;
      return helper.call(name, whole, AbortSignal.timeout(15_000));
    },
    kill,
    restart: async () => {
      running = await startHelper(machine, root);
    },
  };
}

/** Resolves with the process and its id inside, once it is ready. */
async function startHelper(machine: Machine, root: string): Promise<{ process: ChildProcess; pid: string }> {
  const started = machine.start(NODE, HELPER, root);
  const ended = once(started, 'exit').then(() => {
    throw new Error('the helper ended before it was ready');
  });
  const [said] = (await Promise.race([once(started.stdout ?? started, 'data'), ended])) as [Buffer];
  // From here on it may end whenever the test wants; the race above has lost its meaning.
  ended.catch(() => undefined);
  return { process: started, pid: said.toString().trim() };
}
