import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import type { Unlocked } from '../core/status.ts';
import type { Service } from '../core/service.ts';
import { NodeApi } from './node-api.ts';

export interface NodeWatchOptions {
  readonly desired: () => Desired | undefined;
  readonly now: () => number;
}

const LOOK_MS = 20_000;
const TIMEOUT_MS = 10_000;

/**
 * What `GET /v1/state` of LND says (stateservice.proto) | the wallet is open
 * ------------------------------------------------------+-------------------
 * LOCKED                                                | no: it waits for its password
 * NON_EXISTING                                          | no: there is none yet
 * UNLOCKED, RPC_ACTIVE, SERVER_ACTIVE                   | yes
 * others, no answer                                     | unknown
 */
function judge({ name }: Service, state: string): Unlocked {
  if (state === 'LOCKED') {
    return { status: 'no', message: `${name} waits for the password of its wallet: lncli unlock` };
  }
  if (state === 'NON_EXISTING') return { status: 'no', message: `${name} has no wallet yet: lncli create` };
  const isOpen = ['UNLOCKED', 'RPC_ACTIVE', 'SERVER_ACTIVE'].includes(state);
  return isOpen
    ? { status: 'yes', message: 'its wallet is open' }
    : { status: 'unknown', message: `it says that its wallet is ${state.slice(0, 40)}` };
}

/** Asks each LND that the gateway may ask whether its wallet is open: after a restart it serves nobody until it is. */
export class NodeWatch {
  readonly #options: NodeWatchOptions;
  readonly #found = new Map<string, Unlocked>();
  #nextMs = 0;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
  }

  async settle(signal: AbortSignal): Promise<void> {
    const { desired, now } = this.#options;
    const aim = desired();
    if (aim === undefined || now() < this.#nextMs) return;
    this.#nextMs = now() + LOOK_MS;
    const nodes = aim.services.filter(({ kind, node }) => kind === 'lnd' && node !== undefined);
    const names = new Set(nodes.map(({ name }) => name));
    for (const name of this.#found.keys()) if (!names.has(name)) this.#found.delete(name);
    await Promise.all(nodes.map(async (service) => this.#look(service, aim, signal)));
  }

  /** By service; only those that are asked. */
  found(): ReadonlyMap<string, Unlocked> {
    return this.#found;
  }

  async #look(service: Service, { network }: Desired, signal: AbortSignal): Promise<void> {
    try {
      const ending = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const state = await new NodeApi(service, network).state(ending);
      this.#found.set(service.name, judge(service, state));
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      this.#found.set(service.name, { status: 'unknown', message: error.message });
    }
  }
}
