import { GatewayError } from '../../src/core/errors.ts';
import type { Ports } from '../../src/core/ports.ts';

export interface FaultyPorts {
  readonly ports: Ports;
  /** Names of the effects that were asked for, in order. */
  readonly effects: string[];
}

/**
 * `before`: the effect never happened. `after`: it happened, but the answer was lost, as when the helper is killed
 * between doing and saying.
 */
export interface Fault {
  readonly at: number;
  readonly when: 'before' | 'after';
}

/** Real ports that record every effect and fail at the n-th (counted from 0). Reads of the clock are no effects. */
export function faultyPorts(real: Ports, fault?: Fault): FaultyPorts {
  const effects: string[] = [];
  const guard = async <Result>(name: string, effect: () => Promise<Result>): Promise<Result> => {
    const mine = effects.push(name) - 1;
    if (mine === fault?.at && fault.when === 'before') throw injected(name, mine);
    const result = await effect();
    if (mine === fault?.at) throw injected(name, mine);
    return result;
  };
  const guardSync = <Result>(name: string, effect: () => Result): Result => {
    const mine = effects.push(name) - 1;
    if (mine === fault?.at) throw injected(name, mine);
    return effect();
  };
  const ports: Ports = {
    ...real,
    helper: { call: (name, input, signal) => guard(name, () => real.helper.call(name, input, signal)) },
    keys: {
      ensure: (name, type) => guard(`keys.ensure ${name}`, () => real.keys.ensure(name, type)),
      put: (name, type, secret) => guard(`keys.put ${name}`, () => real.keys.put(name, type, secret)),
      read: (name, type) => guard(`keys.read ${name}`, () => real.keys.read(name, type)),
      remove: (name) => guard(`keys.remove ${name}`, () => real.keys.remove(name)),
    },
    carrier: {
      ...real.carrier,
      carry: (relay, carry, signal) =>
        guard(`carry ${relay}`, () => real.carrier.carry(relay, carry, signal)),
      release: (relay, signal) => guard(`release ${relay}`, () => real.carrier.release(relay, signal)),
    },
    crypto: { ...real.crypto, random: (bytes) => guardSync('random', () => real.crypto.random(bytes)) },
  };
  return { ports, effects };
}

function injected(name: string, index: number): GatewayError {
  return new GatewayError(`injected fault at effect ${index} (${name})`, { code: 'CommandFailed' });
}
