import {
  MappingError,
  type Lease,
  type LeaseCheck,
  type MappingDriver,
  type MappingRequest,
} from '../../core/mapping.ts';
import {
  isPinholeClient,
  parseFirewallStatus,
  parsePinholeId,
  pinholeArguments,
} from '../../wire/igd-mapping.ts';
import { callIgd, isFault, type Called } from './igd-call.ts';
import { descriptionsOf } from './igd-descriptions.ts';
import { SearchManner, type Manner } from './search-manner.ts';

/** A pinhole always ends; a day at most (WANIPv6FirewallControl:1, 2.4.2). */
const LONGEST_SECONDS = 86_400;

/**
 * Pinholes in a router's IPv6 firewall (WANIPv6FirewallControl:1). The port is the same outside as inside, and the address
 * our own. Routers open one only to whoever asks, so it is asked from the address that it is for. A pinhole is known by a
 * number; who asks for one that is there is told its number again, so none needs to be remembered over a restart.
 */
export class UpnpPinholeDriver implements MappingDriver {
  readonly protocol = 'upnp';
  /** IPv6; a link-local address with its interface: `fe80::1%eth0`. */
  readonly router: string;
  #location: string | undefined;
  readonly #manner = new SearchManner();
  /** By `transport address port`. */
  readonly #ids = new Map<string, number>();

  constructor(router: string) {
    this.router = router;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Lease> {
    const { transport, internalAddress, internalPort, nonce, description } = request;
    const asked = Math.min(
      request.lifetimeSeconds === 0 ? LONGEST_SECONDS : request.lifetimeSeconds,
      LONGEST_SECONDS,
    );
    if (!isPinholeClient(internalAddress)) {
      throw new MappingError(`${internalAddress} is no public IPv6 address, so no pinhole leads to it`, {
        refusal: 'no-address',
      });
    }
    const called = await this.#find(internalAddress, signal);
    const isRenewed = await this.#renew(called, request, asked, signal);
    if (!isRenewed) this.#ids.set(keyOf(request), await addPinhole(called, request, asked, signal));
    return {
      protocol: this.protocol,
      router: this.router,
      transport,
      internalAddress,
      internalPort,
      externalPort: internalPort,
      externalAddress: internalAddress,
      lifetimeSeconds: asked,
      nonce,
      description,
      mark: {},
    };
  }

  async unmap(lease: Lease, signal: AbortSignal): Promise<void> {
    const called = await this.#find(lease.internalAddress, signal);
    const id = this.#ids.get(keyOf(lease)) ?? (await addPinhole(called, lease, 1, signal));
    this.#ids.delete(keyOf(lease));
    try {
      await callIgd(called, 'DeletePinhole', [['UniqueID', id]], signal);
    } catch (error) {
      if (!isFault(error, 704)) throw error;
    }
  }

  /** 709: there, and nothing came through yet. Who has no number knows no more than that the router answers. */
  async check(lease: Lease, signal: AbortSignal): Promise<LeaseCheck> {
    const id = this.#ids.get(keyOf(lease));
    if (id === undefined) return { mark: {} };
    const called = await this.#find(lease.internalAddress, signal);
    try {
      await callIgd(called, 'CheckPinholeWorking', [['UniqueID', id]], signal);
      return { mark: {}, isThere: true };
    } catch (error) {
      if (isFault(error, 704)) return { mark: {}, isThere: false };
      if (isFault(error, 709)) return { mark: {}, isThere: true };
      if (isFault(error, 401, 501, 602, 702)) return { mark: {} };
      throw error;
    }
  }

  /** A router tells of a pinhole only to whoever has its number. */
  list(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Nothing is translated: the address outside is our own. */
  externalAddress(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async #renew(
    called: Called,
    request: MappingRequest,
    seconds: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const id = this.#ids.get(keyOf(request));
    if (id === undefined) return false;
    try {
      await callIgd(
        called,
        'UpdatePinhole',
        [
          ['UniqueID', id],
          ['NewLeaseTime', seconds],
        ],
        signal,
      );
      return true;
    } catch (error) {
      // It ended, or the router forgot it, or counts anew.
      if (!isFault(error, 704, 606)) throw error;
      this.#ids.delete(keyOf(request));
      return false;
    }
  }

  async #find(from: string, signal: AbortSignal): Promise<Called> {
    const manner = this.#manner.next(Date.now());
    try {
      const called = await this.#firewall(from, manner, signal);
      this.#manner.found();
      return called;
    } catch (error) {
      this.#manner.failed(manner, this.#location !== undefined, Date.now());
      throw error;
    }
  }

  async #firewall(from: string, manner: Manner, signal: AbortSignal): Promise<Called> {
    const asked = { router: this.router, known: this.#location, from, ...manner };
    for await (const found of descriptionsOf(asked, signal)) {
      const service = found.description.services.find(({ name }) => name === 'WANIPv6FirewallControl');
      if (service === undefined) continue;
      this.#location = found.location;
      const called = { router: this.router, service, from };
      await refuseUseless(called, signal);
      return called;
    }
    throw new MappingError(`${this.router} speaks UPnP, but does not let anybody open its IPv6 firewall`, {
      refusal: 'unsupported',
      hint: 'allow the port in the IPv6 firewall of the router by hand',
    });
  }
}

function keyOf({
  transport,
  internalAddress,
  internalPort,
}: Pick<MappingRequest, 'transport' | 'internalAddress' | 'internalPort'>): string {
  return `${transport} ${internalAddress} ${internalPort}`;
}

/** A router whose firewall is off refuses pinholes, as does one whose owner switched them off; each needs its own words. */
async function refuseUseless(called: Called, signal: AbortSignal): Promise<void> {
  const status = parseFirewallStatus(await callIgd(called, 'GetFirewallStatus', [], signal));
  if (status.isFirewallOn === false) {
    throw new MappingError(`${called.router} has its IPv6 firewall switched off: there is nothing to open`, {
      refusal: 'unsupported',
    });
  }
  if (status.allowsPinholes !== false) return;
  throw new MappingError(`${called.router} does not allow programs to open its IPv6 firewall`, {
    refusal: 'not-authorized',
    hint: 'allow the port there by hand, or let programs open ports ("independent port sharing")',
  });
}

async function addPinhole(
  called: Called,
  {
    transport,
    internalAddress,
    internalPort,
  }: Pick<MappingRequest, 'transport' | 'internalAddress' | 'internalPort'>,
  leaseSeconds: number,
  signal: AbortSignal,
): Promise<number> {
  const asked = { transport, internalClient: internalAddress, internalPort, leaseSeconds };
  const id = parsePinholeId(await callIgd(called, 'AddPinhole', pinholeArguments(asked), signal));
  if (id !== undefined) return id;
  throw new MappingError(
    `${called.router} opened a pinhole for ${transport} port ${internalPort} without a number`,
    {
      refusal: 'failed',
    },
  );
}
