import { randomInt } from 'node:crypto';
import {
  MappingError,
  type Lease,
  type MappingDriver,
  type MappingProtocol,
  type MappingRequest,
} from '../../core/mapping.ts';
import type { PortState } from '../../core/mapping-lease.ts';
import { LIFETIME_SECONDS } from '../../core/mapping-lease.ts';
import type { HomeNetwork } from './home-network.ts';

export interface Asking {
  readonly state: PortState;
  readonly network: HomeNetwork;
  readonly drivers: readonly MappingDriver[];
  /** Protocol that worked with this router before. */
  readonly known: MappingProtocol | undefined;
  /** This router refuses every lease that ends. */
  readonly permanentOnly: boolean;
  readonly description: string;
}

export type Asked =
  | { readonly lease: Lease; readonly refusals?: undefined }
  | { readonly lease?: undefined; readonly refusals: readonly MappingError[] };

/** Failures in a row after which a lease that is held may be asked for by another protocol. */
const LOYALTY = 2;
/** When a port belongs to somebody else, others are tried. */
const OTHER_PORTS = 3;

/** Asks one protocol after the other, the known one first (RFC 6886 3.1: one question at a time). */
export async function askDrivers(asking: Asking, signal: AbortSignal): Promise<Asked> {
  const refusals: MappingError[] = [];
  for (const driver of inOrder(asking)) {
    try {
      return { lease: await askOne(driver, asking, signal) };
    } catch (error) {
      if (!(error instanceof MappingError)) throw error;
      refusals.push(error);
    }
  }
  return { refusals };
}

/** A packet that was lost must not have the same port mapped twice: while a lease is held, its protocol is asked alone. */
function inOrder({ drivers, state, known }: Asking): MappingDriver[] {
  const { held, failures } = state;
  const protocol = held?.lease.protocol ?? known;
  const first = drivers.filter((driver) => driver.protocol === protocol);
  if (held !== undefined && failures < LOYALTY && first.length > 0) return first;
  return [...first, ...drivers.filter((driver) => driver.protocol !== protocol)];
}

async function askOne(driver: MappingDriver, asking: Asking, signal: AbortSignal): Promise<Lease> {
  const request = requestFor(driver, asking);
  for (let tried = 0; ; tried += 1) {
    const externalPort = tried === 0 ? request.externalPort : randomInt(20_000, 60_000);
    try {
      return await driver.map({ ...request, externalPort }, signal);
    } catch (error) {
      const isTaken = error instanceof MappingError && error.refusal === 'conflict';
      if (!isTaken || tried === OTHER_PORTS) throw error;
    }
  }
}

function requestFor({ protocol, router }: MappingDriver, asking: Asking): MappingRequest {
  const { state, network, permanentOnly, description } = asking;
  const { spec, nonce, last, wish } = state;
  const before = last?.router === router ? last : undefined;
  return {
    transport: spec.transport,
    internalAddress: network.address,
    internalPort: spec.port,
    externalPort: wish ?? before?.externalPort ?? spec.externalPort,
    ...(before?.externalAddress === undefined ? {} : { externalAddress: before.externalAddress }),
    // To PCP and NAT-PMP, 0 means to delete.
    lifetimeSeconds: protocol === 'upnp' && permanentOnly ? 0 : LIFETIME_SECONDS,
    description,
    nonce,
  };
}
