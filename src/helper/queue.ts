import { GatewayError } from '../core/errors.ts';
import type { OperationName, OperationResult } from '../core/operations.ts';
import type { HelperEnvironment } from './environment.ts';
import { execute, queueOf } from './operations.ts';

/** `gone` aborts when the client has left: then its requests that wait are dropped. */
export type Dispatch = (
  name: OperationName,
  input: unknown,
  gone: AbortSignal,
) => Promise<OperationResult<OperationName>>;

export type Queue = NonNullable<ReturnType<typeof queueOf>>;
export type TakeTurn = <Result>(queue: Queue, task: () => Promise<Result>) => Promise<Result>;

/** One task at a time in each queue, in the order in which they came. */
export function createQueues(): TakeTurn {
  const tails = new Map<Queue, Promise<unknown>>();
  return (queue, task) => {
    const turn = (tails.get(queue) ?? Promise.resolve()).then(task, task);
    tails.set(queue, turn);
    return turn;
  };
}

/** `done` is told what was executed before the next turn begins. */
export function createDispatch(
  environment: HelperEnvironment,
  takeTurn: TakeTurn,
  signal: AbortSignal,
  done: (name: OperationName, input: unknown) => void,
): Dispatch {
  return (name, input, gone) => {
    const queue = queueOf(name);
    if (queue === undefined) return execute(name, input, environment, AbortSignal.any([signal, gone]));
    return takeTurn(queue, async () => {
      if (gone.aborted) throw new GatewayError(`${name} was dropped: its client left`, { code: 'Aborted' });
      const result = await execute(name, input, environment, signal);
      done(name, input);
      return result;
    });
  };
}
