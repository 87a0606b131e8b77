import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import {
  MappingError,
  type Lease,
  type LeaseCheck,
  type MappingDriver,
  type MappingProtocol,
  type MappingRefusal,
  type MappingRequest,
} from '../../../src/core/mapping.ts';
import type { HomeNetwork } from '../../../src/system/mapping/home-network.ts';
import { emptyMemory, type Memory } from '../../../src/system/mapping/memory.ts';
import { PortMapper } from '../../../src/system/mapping/port-mapper.ts';

const SPEC = { transport: 'udp', port: 51_820, externalPort: 51_820 } as const;
const HOME: HomeNetwork = { router: '192.168.1.1', address: '192.168.1.2' };
const signal = new AbortController().signal;

/** A router whose every answer the test decides; the protocols on real sockets have tests of their own. */
class TestRouter {
  readonly asked: { protocol: MappingProtocol; request: MappingRequest }[] = [];
  readonly unmapped: Lease[] = [];
  checks = 0;
  bootedAt = Date.now() - 1_000_000;
  refusals: Partial<Record<MappingProtocol, MappingRefusal>> = {};
  lifetimeSeconds = 3600;
  externalAddress = '11.2.0.2';
  takenPorts: readonly number[] = [];

  driver(protocol: MappingProtocol, router: string): MappingDriver {
    const refuse = (): void => {
      const refusal = this.refusals[protocol];
      if (refusal !== undefined) throw new MappingError(`${router}: ${refusal} by ${protocol}`, { refusal });
    };
    return {
      protocol,
      router,
      map: async (request) => {
        this.asked.push({ protocol, request });
        refuse();
        if (this.takenPorts.includes(request.externalPort)) {
          throw new MappingError('taken', { refusal: 'conflict' });
        }
        const lifetimeSeconds = request.lifetimeSeconds === 0 ? 0 : this.lifetimeSeconds;
        const { externalAddress } = this;
        return { ...request, protocol, router, lifetimeSeconds, externalAddress, mark: this.#mark() };
      },
      unmap: async (lease) => {
        refuse();
        this.unmapped.push(lease);
      },
      check: async (): Promise<LeaseCheck> => {
        this.checks += 1;
        refuse();
        return { mark: this.#mark() };
      },
      list: async () => undefined,
      externalAddress: async () => this.externalAddress,
    };
  }

  #mark() {
    return { epochSeconds: Math.floor((Date.now() - this.bootedAt) / 1000) };
  }
}

let router: TestRouter;
let network: HomeNetwork | undefined;
let memory: Memory;
let events: string[];
let heard: (HomeNetwork | undefined)[];
const mappers: PortMapper[] = [];

function mapper(): PortMapper {
  const made = new PortMapper({
    now: Date.now,
    random: () => 0.5,
    network: async () => network,
    drivers: (home) => (['pcp', 'nat-pmp', 'upnp'] as const).map((name) => router.driver(name, home.router)),
    file: {
      read: async () => structuredClone(memory),
      write: async (next) => void (memory = structuredClone(next)),
    },
    record: (type, message) => events.push(`${type}: ${message}`),
    log: (level, message) => events.push(`log ${level}: ${message}`),
    changed: () => undefined,
    moved: (to) => void heard.push(to),
  });
  mappers.push(made);
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  router = new TestRouter();
  network = HOME;
  memory = emptyMemory();
  events = [];
  heard = [];
});
afterEach(async () => {
  for (const one of mappers.splice(0)) await one.close();
  vi.useRealTimers();
});

const minutes = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * 60_000);
const reportOf = async (one: PortMapper) => (await one.kept())[0]?.report;
const protocols = (): string[] => router.asked.map(({ protocol }) => protocol);

describe('the mapper', () => {
  it('asks PCP, then NAT-PMP, then UPnP, and remembers what worked', async () => {
    router.refusals = { pcp: 'unsupported', 'nat-pmp': 'silent' };
    const one = mapper();
    await one.keep(SPEC, signal);
    expect(protocols()).toEqual(['pcp', 'nat-pmp', 'upnp']);
    expect(await reportOf(one)).toMatchObject({ state: 'held', protocol: 'upnp', externalPort: 51_820 });
    await minutes(40);
    expect(protocols().slice(3)).toEqual(['upnp']);
    expect(events).toEqual(['mapping.made: UDP 51820 is 11.2.0.2:51820 outside, by UPnP of 192.168.1.1']);
  });

  it('looks once a minute and renews twice an hour, for days, with one timer', async () => {
    const one = mapper();
    await one.keep(SPEC, signal);
    await one.keep(SPEC, signal);
    await minutes(24 * 60);
    const renewals = router.asked.length - 2;
    expect(renewals).toBeGreaterThan(40);
    expect(renewals).toBeLessThan(46);
    expect(router.checks).toBeGreaterThan(24 * 50);
    expect(router.checks).toBeLessThanOrEqual(24 * 60);
    expect(vi.getTimerCount()).toBe(1);
    expect(new Set(router.asked.map(({ request }) => request.nonce)).size).toBe(1);
  });

  it('asks again within a minute when the router forgot, for the same port outside', async () => {
    router.takenPorts = [51_820];
    const one = mapper();
    await one.keep(SPEC, signal);
    const port = (await reportOf(one))?.externalPort;
    expect(port).not.toBe(51_820);
    await minutes(10);
    router.asked.length = 0;
    router.bootedAt = Date.now();
    await minutes(1.1);
    expect(router.asked.map(({ request }) => request.externalPort)).toEqual([port]);
    expect(events.filter((event) => event.startsWith('mapping.lost'))).toHaveLength(1);
  });

  it('says so when the router that forgot gives another port: devices have the old one', async () => {
    const one = mapper();
    await one.keep(SPEC, signal);
    router.takenPorts = [51_820];
    router.bootedAt = Date.now();
    await minutes(1.1);
    const port = (await reportOf(one))?.externalPort;
    expect(port).not.toBe(51_820);
    expect(events.at(-1)).toBe(
      `mapping.moved: UDP 51820 is at port ${port} outside now, no longer at 51820: devices that were given 51820 do not get in`,
    );
    expect(one.remarks()).toEqual([expect.stringContaining('gateway device renew NAME')]);
    router.takenPorts = [port ?? 0];
    router.bootedAt = Date.now();
    await one.release(SPEC, signal);
    await one.keep(SPEC, signal);
    expect(one.remarks()).toEqual([]);
  });

  it('hears an announcement of the router, once in a while, and of nobody else', async () => {
    const one = mapper();
    await one.keep(SPEC, signal);
    router.bootedAt = Date.now();
    one.announced('192.168.1.66', { mark: { epochSeconds: 0 } });
    await vi.advanceTimersByTimeAsync(100);
    expect(router.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5000);
    for (let count = 0; count < 1000; count += 1) one.announced(HOME.router, { mark: { epochSeconds: 0 } });
    await vi.advanceTimersByTimeAsync(100);
    expect(router.asked).toHaveLength(2);
  });

  it('follows to another router, and to another address of its own', async () => {
    const one = mapper();
    await one.keep(SPEC, signal);
    network = { ...HOME, address: '192.168.1.99' };
    await vi.advanceTimersByTimeAsync(6000);
    expect(router.asked.at(-1)?.request.internalAddress).toBe('192.168.1.99');
    network = undefined;
    await minutes(1);
    expect(await reportOf(one)).toMatchObject({ state: 'held', router: '192.168.1.1' });
    network = { router: '10.1.1.1', address: '10.1.1.2' };
    await vi.advanceTimersByTimeAsync(6000);
    expect(await reportOf(one)).toMatchObject({ state: 'held', router: '10.1.1.1' });
  });

  it('removes what leads to the address that it had before, where the router lets it', async () => {
    router.refusals = { pcp: 'unsupported', 'nat-pmp': 'unsupported' };
    await mapper().keep(SPEC, signal);
    network = { ...HOME, address: '192.168.1.99' };
    await vi.advanceTimersByTimeAsync(6000);
    expect(router.unmapped.map(({ internalAddress }) => internalAddress)).toEqual([HOME.address]);
    expect(router.asked.at(-1)?.request.internalAddress).toBe('192.168.1.99');
  });

  it('says why it has nothing, asks on, and is there soon after the router is', async () => {
    network = undefined;
    const one = mapper();
    await one.keep(SPEC, signal);
    expect(await reportOf(one)).toMatchObject({
      state: 'failed',
      problem: expect.stringContaining('no router'),
    });
    network = HOME;
    router.refusals = { pcp: 'no-resources', 'nat-pmp': 'no-address', upnp: 'silent' };
    await minutes(1);
    expect(await reportOf(one)).toMatchObject({
      problem: '192.168.1.1: no-address by nat-pmp',
      hint: expect.stringContaining('bridge mode'),
    });
    router.refusals = {};
    await minutes(0.3);
    expect(await reportOf(one)).toMatchObject({ state: 'held', problem: null });
    expect(events.filter((event) => event.startsWith('mapping.failed'))).toHaveLength(2);
  });

  it('does not believe a router whose own address is not on the internet', async () => {
    router.externalAddress = '100.64.7.7';
    const one = mapper();
    await one.keep(SPEC, signal);
    expect(await reportOf(one)).toMatchObject({
      state: 'held',
      problem: expect.stringContaining('100.64.7.7 is not on the internet'),
    });
  });

  it('keeps to a lease without end where the router gives no other, also tomorrow', async () => {
    router.refusals = { pcp: 'unsupported', 'nat-pmp': 'unsupported' };
    router.lifetimeSeconds = 0;
    await mapper().keep(SPEC, signal);
    await minutes(61);
    expect(router.asked.at(-1)?.request.lifetimeSeconds).toBe(0);
    expect(memory.routers[HOME.router]).toEqual({ protocol: 'upnp', permanentOnly: true });
  });

  it('is asked for by one protocol only while one packet is lost', async () => {
    await mapper().keep(SPEC, signal);
    router.refusals = { pcp: 'silent' };
    await minutes(33);
    expect(new Set(protocols())).toEqual(new Set(['pcp']));
    await minutes(5);
    expect(protocols().at(-1)).toBe('nat-pmp');
  });
});

it('listens to the network only while there is something to keep', async () => {
  const one = mapper();
  await one.kept();
  await one.look(signal);
  expect(heard).toEqual([]);
  await one.keep(SPEC, signal);
  await one.release(SPEC, signal);
  expect(heard).toEqual([HOME, undefined]);
});

describe('the next daemon', () => {
  it('adopts the lease with its nonce, and asks for nothing but whether the router remembers', async () => {
    const first = mapper();
    await first.keep(SPEC, signal);
    await first.close();
    const nonce = router.asked[0]?.request.nonce;
    const next = mapper();
    expect(await reportOf(next)).toMatchObject({ state: 'held', externalPort: 51_820 });
    await minutes(2);
    expect(router.asked).toHaveLength(1);
    await minutes(40);
    expect(router.asked.map(({ request }) => request.nonce)).toEqual([nonce, nonce]);
    expect(router.unmapped).toEqual([]);
  });

  it('asks at once when the lease ended while nobody renewed it', async () => {
    const first = mapper();
    await first.keep(SPEC, signal);
    await first.close();
    await minutes(120);
    const next = mapper();
    await next.kept();
    await vi.advanceTimersByTimeAsync(100);
    expect(router.asked).toHaveLength(2);
  });

  it('removes what it let go of, and says so where the router does not answer', async () => {
    const one = mapper();
    await one.keep(SPEC, signal);
    await one.release(SPEC, signal);
    expect(router.unmapped).toHaveLength(1);
    expect(await one.kept()).toEqual([]);
    await one.keep(SPEC, signal);
    router.refusals = { pcp: 'silent' };
    await one.release(SPEC, signal);
    expect(events.at(-1)).toMatch(/^mapping\.left: UDP 51820 may still be open in the router 192\.168\.1\.1/);
    expect(memory.ports).toEqual([]);
    await minutes(60);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is no worse off for a driver that throws something else: it is said, and asked on', async () => {
    const one = mapper();
    await one.keep(SPEC, signal);
    const whole = router;
    router = new TestRouter();
    router.driver = (...words) => ({
      ...whole.driver(...words),
      check: async () => {
        throw new GatewayError('a bug', { code: 'CommandFailed' });
      },
    });
    network = { ...HOME, address: '192.168.1.7' };
    await minutes(3);
    expect(events).toContain('log error: looking after port mappings failed');
    expect(vi.getTimerCount()).toBe(1);
  });
});
