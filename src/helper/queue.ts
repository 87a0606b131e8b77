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

/** Executes one operation at a time in each queue, in the order in which they came. */
export function createDispatch(environment: HelperEnvironment, signal: AbortSignal): Dispatch {
  const tails = new Map<string, Promise<unknown>>();
  return (name, input, gone) => {
    const queue = queueOf(name);
    const begin = (): Promise<OperationResult<OperationName>> => {
      if (gone.aborted) throw new GatewayError(`${name} was dropped: its client left`, { code: 'Aborted' });
      return execute(name, input, environment, signal);
    };
    const turn = (tails.get(queue) ?? Promise.resolve()).then(begin, begin);
    tails.set(queue, turn);
    return turn;
  };
}
