import {
  isRouterAddress,
  MappingError,
  type Lease,
  type LeaseCheck,
  type MappingDriver,
  type MappingRefusal,
  type MappingRequest,
} from '../../core/mapping.ts';
import {
  encodeAddressRequest,
  encodeMapRequest,
  NAT_PMP_PORT,
  NAT_PMP_RESULTS,
  parseNatPmpAnswer,
  type NatPmpAnswer,
  type NatPmpMapRequest,
} from '../../wire/nat-pmp.ts';
import { askRouter } from './ask-router.ts';
import { leaseOfAnswer, outsideOf } from './lease.ts';

type Mapped = Extract<NatPmpAnswer, { type: 'mapping' }>;
type Addressed = Extract<NatPmpAnswer, { type: 'address' }>;

/** 250 ms, 500 ms, 1 s, 2 s. RFC 6886 3.1 allows nine, over two minutes: whoever asks again later has the same. */
const SENDS = 4;

/** Result code (RFC 6886 3.5) → why. miniupnpd says 3 when its own address is private. */
const REFUSALS: readonly MappingRefusal[] = [
  'failed',
  'unsupported',
  'not-authorized',
  'no-address',
  'no-resources',
  'unsupported',
];

/** NAT-PMP (RFC 6886). It maps to the address that the question comes from; it has no description and no list. */
export class NatPmpDriver implements MappingDriver {
  readonly protocol = 'nat-pmp';
  readonly router: string;
  readonly #sends: number;

  constructor(router: string, sends = SENDS) {
    this.router = router;
    this.#sends = sends;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Lease> {
    const mapped = await this.#map(request, signal);
    return leaseOfAnswer(this, request, { ...mapped, externalAddress: await this.externalAddress(signal) });
  }

  /** External port 0 and lifetime 0 (RFC 6886 3.4). */
  async unmap({ transport, internalPort }: Lease, signal: AbortSignal): Promise<void> {
    await this.#map({ transport, internalPort, externalPort: 0, lifetimeSeconds: 0 }, signal);
  }

  async check(_lease: Lease, signal: AbortSignal): Promise<LeaseCheck> {
    const { address, epochSeconds } = await this.#address(signal);
    return { mark: { epochSeconds }, ...outsideOf(address) };
  }

  list(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async externalAddress(signal: AbortSignal): Promise<string | undefined> {
    const { address } = await this.#address(signal);
    return isRouterAddress(address) ? address : undefined;
  }

  #map(request: NatPmpMapRequest, signal: AbortSignal): Promise<Mapped> {
    const { transport, internalPort } = request;
    return this.#ask(
      encodeMapRequest(request),
      signal,
      (found): found is Mapped =>
        found.type === 'mapping' && found.transport === transport && found.internalPort === internalPort,
    );
  }

  #address(signal: AbortSignal): Promise<Addressed> {
    return this.#ask(encodeAddressRequest(), signal, (found): found is Addressed => found.type === 'address');
  }

  async #ask<Wanted extends NatPmpAnswer>(
    bytes: Uint8Array,
    signal: AbortSignal,
    isWanted: (answer: NatPmpAnswer) => answer is Wanted,
  ): Promise<Wanted> {
    const accept = (received: Uint8Array): Wanted | Refused | undefined => {
      const found = parseNatPmpAnswer(received);
      if (found === undefined) return undefined;
      // An error may come without the rest of the packet, so that nothing tells which question it answers.
      if (found.type === 'version' || found.result !== 0) return { type: 'refused', ...refusalOf(found) };
      return isWanted(found) ? found : undefined;
    };
    const question = { router: this.router, port: NAT_PMP_PORT, bytes, accept, protocol: 'NAT-PMP' };
    const answer = await askRouter({ ...question, sends: this.#sends }, signal);
    if (answer.type !== 'refused') return answer;
    throw new MappingError(`${this.router} answered NAT-PMP: ${answer.words}`, { refusal: answer.refusal });
  }
}

interface Refused {
  readonly type: 'refused';
  readonly refusal: MappingRefusal;
  readonly words: string;
}

function refusalOf(answer: NatPmpAnswer): Omit<Refused, 'type'> {
  if (answer.type === 'version') return { refusal: 'unsupported', words: `version ${answer.version} only` };
  const words = NAT_PMP_RESULTS[answer.result] ?? 'unknown error';
  return { refusal: REFUSALS[answer.result] ?? 'failed', words: `${words} (${answer.result})` };
}
