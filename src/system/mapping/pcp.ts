import {
  MappingError,
  type Lease,
  type LeaseCheck,
  type MappingDriver,
  type MappingRefusal,
  type MappingRequest,
} from '../../core/mapping.ts';
import {
  encodeMap,
  parsePcpAnswer,
  PCP_PORT,
  PCP_RESULTS,
  type PcpAnswer,
  type PcpMapRequest,
} from '../../wire/pcp.ts';
import { askRouter } from './ask-router.ts';
import { leaseOfAnswer, outsideOf } from './lease.ts';

type Mapped = Extract<PcpAnswer, { type: 'map' }>;

/** 250 ms, 500 ms, 1 s, 2 s: RFC 6887 8.1.1 starts at 3 s, for servers far away; ours is one hop from here. */
const SENDS = 4;

const REFUSALS: Partial<Record<(typeof PCP_RESULTS)[number], MappingRefusal>> = {
  UNSUPP_VERSION: 'unsupported',
  NOT_AUTHORIZED: 'not-authorized',
  UNSUPP_OPCODE: 'unsupported',
  NETWORK_FAILURE: 'no-address',
  // miniupnpd also says so when its own address is private: NAT-PMP, asked next, says which it is.
  NO_RESOURCES: 'no-resources',
  UNSUPP_PROTOCOL: 'unsupported',
  USER_EX_QUOTA: 'no-resources',
  CANNOT_PROVIDE_EXTERNAL: 'conflict',
  ADDRESS_MISMATCH: 'address-mismatch',
};

/** PCP (RFC 6887), MAP. The nonce keeps neighbours from changing what is ours (11.2, 18.2). */
export class PcpDriver implements MappingDriver {
  readonly protocol = 'pcp';
  readonly router: string;
  readonly #sends: number;

  constructor(router: string, sends = SENDS) {
    this.router = router;
    this.#sends = sends;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Lease> {
    return leaseOfAnswer(this, request, await this.#map(request, signal));
  }

  /** Lifetime 0, suggested port and address 0 (15.1). */
  async unmap(
    { transport, internalAddress, internalPort, nonce }: Lease,
    signal: AbortSignal,
  ): Promise<void> {
    const identity = { transport, internalAddress, internalPort, nonce };
    await this.#map({ ...identity, externalPort: 0, lifetimeSeconds: 0 }, signal);
  }

  /**
   * Asks for the same again, which renews it (11.2.1). ANNOUNCE is one packet as well, and carries no address: a home
   * that got another one while the router went on would hear of it at the next renewal only.
   */
  async check(lease: Lease, signal: AbortSignal): Promise<LeaseCheck> {
    const { externalPort, externalAddress, epochSeconds, lifetimeSeconds } = await this.#map(lease, signal);
    return {
      mark: { epochSeconds },
      isThere: externalPort === lease.externalPort && lifetimeSeconds > 0,
      ...outsideOf(externalAddress),
    };
  }

  list(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** PCP tells it only with a mapping (11.6). */
  externalAddress(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async #map(request: PcpMapRequest, signal: AbortSignal): Promise<Mapped> {
    const { transport, internalPort, nonce } = request;
    const isWanted = (found: PcpAnswer): found is Mapped =>
      found.type === 'map' &&
      found.nonce === nonce &&
      found.transport === transport &&
      found.internalPort === internalPort;
    const bytes = encodeMap(request);
    const accept = (received: Uint8Array): PcpAnswer | undefined => {
      const found = parsePcpAnswer(received);
      return found !== undefined && (found.type === 'version' || isWanted(found)) ? found : undefined;
    };
    // A pinhole leads to whoever asks: of several addresses it must be this one that does.
    const from = request.internalAddress.includes(':') ? { from: request.internalAddress } : {};
    const question = { router: this.router, port: PCP_PORT, bytes, accept, protocol: 'PCP', ...from };
    const answer = await askRouter({ ...question, sends: this.#sends }, signal);
    if (answer.type === 'version') {
      throw new MappingError(`${this.router} does not speak PCP: it answered in version ${answer.version}`, {
        refusal: 'unsupported',
      });
    }
    if (answer.result === 0 && isWanted(answer)) return answer;
    const name = PCP_RESULTS[answer.result];
    throw new MappingError(`${this.router} answered PCP: ${name ?? `result ${answer.result}`}`, {
      refusal: (name === undefined ? undefined : REFUSALS[name]) ?? 'failed',
    });
  }
}
