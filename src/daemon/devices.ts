import type { Provider } from '../core/contract.ts';
import type { DeviceDraft, Enrolled, Grant, Progress, Taken } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { Device } from '../core/service.ts';
import { endTokens } from '../core/tokens.ts';
import type { Engine } from '../engine/engine.ts';
import type { StateChange, Store } from '../engine/store.ts';
import type { Changes } from './change.ts';
import { demandNodes, demandOwn, demandReachers } from './device-demands.ts';
import { keyOf, makeKeys, withoutKeys } from './device-keys.ts';
import { demandRoom, waysFor } from './device-ways.ts';
import { demandTunnel, withGrant, withoutGrant, wordsOf } from './device-grants.ts';
import { type Enrolment, isStopped } from './enrolment.ts';
import { closedFlows, cutFlows, flowsOfDevice } from './closed-flows.ts';
import type { Recorder } from './journal.ts';
import type { NodeTokens } from './node-tokens.ts';

export interface DevicesOptions {
  readonly changes: Changes;
  readonly engine: Engine;
  readonly store: Store;
  readonly ports: Ports;
  readonly record: Recorder;
  readonly providers: readonly Provider[];
  readonly enrolment: Enrolment;
  readonly tokens: NodeTokens;
}

/** Adds, renews and revokes devices: keys first, then state, then the world. */
export class Devices {
  readonly #options: DevicesOptions;

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  async add(draft: DeviceDraft, progress: Progress, signal: AbortSignal): Promise<Enrolled> {
    const { changes, engine, enrolment, ports, providers, record, store } = this.#options;
    const { name, services, expiresAt } = draft;
    changes.demandUp();
    if (store.device(name) !== undefined) {
      throw new GatewayError(`there is a device ${name} already`, {
        code: 'AlreadyExists',
        retry: 'never',
        hint: `choose another name, or give it new keys: gateway device renew ${name}`,
      });
    }
    if (expiresAt !== undefined && Date.parse(expiresAt) <= ports.now()) throw alreadyOver(name, expiresAt);
    const ways = waysFor(services, engine.desired, providers);
    const brought = { onionKey: draft.onionKey?.toUpperCase(), publicKey: draft.publicKey };
    demandRoom(services, ways, store.devices());
    demandUsed(brought.onionKey, ways, services);
    demandOwn(brought.publicKey, ways, store.devices());
    const keys = await makeKeys(name, ways, brought, ports);
    const { reachedBy, rights = [] } = draft;
    demandNodes(rights, services, engine.desired);
    demandReachers(name, reachedBy ?? [], engine.desired);
    const device: Device = {
      name,
      services: [...services],
      addedAt: new Date(ports.now()).toISOString(),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(rights.length === 0 ? {} : { rights }),
      ...(reachedBy === undefined ? {} : { reachedBy }),
    };
    const enrolled = await enrolment.enrol({ device, keys }, progress, signal);
    const until = expiresAt === undefined ? '' : `, until ${expiresAt}`;
    record('device.added', `device ${name} was added for ${services.join(', ')}${until}`, { device: name });
    return this.#withWallets(enrolled, services);
  }

  /** Same name, services, address and end; the old keys stop working with the pass that sets the new ones. */
  async renew(name: string, progress: Progress, signal: AbortSignal): Promise<Enrolled> {
    const { changes, engine, enrolment, ports, providers, record, store } = this.#options;
    changes.demandUp();
    const before = this.#find(name);
    const ways = waysFor(before.services, engine.desired, providers);
    const keys = await makeKeys(name, ways, {}, ports);
    const device = { ...withoutKeys(before), addedAt: new Date(ports.now()).toISOString() };
    const enrolled = await enrolment.enrol({ device, keys }, progress, signal);
    await enrolment.forget(before);
    await changes.inTurn(() => store.commit({ ledger: endTokens(store.ledger(), name) }));
    record('device.renewed', `device ${name} has new keys`, { device: name });
    const { notices } = await this.#taken(name, signal);
    const { services } = before;
    const without = { ...enrolled.device, wallets: [] };
    const known = [...enrolled.notices, ...notices];
    return this.#withWallets({ ...enrolled, device: without, notices: known }, services);
  }

  /**
   * More services, and more services that may connect to it, for a device that is there. What it has stays as it is: only
   * for a way in that it had no key for does it need something new.
   */
  async grant(name: string, wish: Grant, progress: Progress, signal: AbortSignal): Promise<Enrolled> {
    const { changes, engine, enrolment, ports, providers, record, store } = this.#options;
    const { services, rights = [], reachedBy = [] } = wish;
    changes.demandUp();
    const before = this.#find(name);
    demandNodes(rights, [...before.services, ...services], engine.desired);
    const ways = waysFor(services, engine.desired, providers);
    const added = services.filter((service) => !before.services.includes(service));
    demandRoom(added, ways, store.devices());
    demandReachers(name, reachedBy, engine.desired);
    const missing = ways.filter((provider) => keyOf(before, provider) === undefined);
    const keys = await makeKeys(name, missing, {}, ports);
    demandTunnel(before, missing, reachedBy);
    const device = withGrant(before, { services, rights, reachedBy });
    const known = { providers: ways.filter((provider) => !missing.includes(provider)), services };
    const enrolled = await enrolment.enrol({ device, keys, known }, progress, signal);
    record('device.granted', `device ${name} was given ${wordsOf(wish)}`, { device: name });
    return this.#withWallets(enrolled, added);
  }

  /** Takes services away from a device, and cuts what it has open with them; its other services go on. */
  async ungrant(
    name: string,
    wish: Grant,
    gently: boolean,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Taken> {
    const { changes, engine, ports, record, store } = this.#options;
    const before = this.#find(name);
    const { services } = wish;
    const commit = async (): Promise<void> => {
      const now = this.#find(name);
      const ledger = gently ? this.#gently([{ ...now, services }]) : store.ledger();
      await store.commit({
        putDevices: [withoutGrant(now, wish)],
        ledger: endTokens(ledger, name, services),
      });
    };
    const { desired } = engine;
    const { failed } = await changes.reapply(commit, progress, signal);
    if (desired !== undefined && engine.desired !== undefined) {
      const closed = flowsOfDevice(closedFlows(desired, engine.desired), before, desired);
      await cutFlows(ports.helper, desired, closed, progress, signal);
    }
    record('device.ungranted', `${wordsOf(wish)} was taken away from device ${name}`, { device: name });
    const taken = await this.#taken(name, signal);
    const failure = failed.find(({ error }) => !isStopped(error));
    if (failure !== undefined) throw failure.error;
    return taken;
  }

  async revoke(
    name: string,
    { gently }: { readonly gently: boolean },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Taken> {
    const { changes, record } = this.#options;
    const device = this.#find(name);
    const commit = (): Promise<void> => this.#remove([device], gently);
    const report = await changes.reapply(commit, progress, signal);
    await this.#options.enrolment.forget(device);
    const how = gently ? ' without disturbing others' : '';
    record('device.revoked', `device ${name} was revoked${how}`, { device: name });
    const taken = await this.#taken(name, signal);
    const failure = report.failed.find(({ error }) => !isStopped(error));
    if (failure !== undefined) throw failure.error;
    return taken;
  }

  /** Revokes those whose time is over. What fails then is tried again by the passes that follow. */
  async expire(signal: AbortSignal): Promise<void> {
    const { changes, ports, record, store } = this.#options;
    const over = store
      .devices()
      .filter(({ expiresAt }) => expiresAt !== undefined && Date.parse(expiresAt) <= ports.now());
    if (over.length === 0) return;
    const commit = (): Promise<void> => this.#remove(over, false);
    if (store.isDown()) await commit();
    else await changes.reapply(commit, () => undefined, signal);
    for (const device of over) {
      await this.#options.enrolment.forget(device);
      record('device.expired', `the time of device ${device.name} is over: it was revoked`, {
        device: device.name,
      });
    }
  }

  async #remove(devices: readonly Device[], gently: boolean): Promise<void> {
    const { store } = this.#options;
    const removeDevices = devices.map(({ name }) => name);
    const before = gently ? this.#gently(devices) : store.ledger();
    const ledger = removeDevices.reduce((ledgers, name) => endTokens(ledgers, name), before);
    await store.commit({ removeDevices, ledger });
  }

  /** Nodes are asked at once to take back what was the device's; what they did not is said, and tried again. */
  async #taken(name: string, signal: AbortSignal): Promise<Taken> {
    const { tokens } = this.#options;
    await tokens.settleFor(name, signal);
    return { notices: tokens.remarks(name) };
  }

  /** A wallet needs more than a way in. */
  #withWallets(enrolled: Enrolled, services: readonly string[]): Enrolled {
    const nodes = (this.#options.engine.desired?.services ?? []).filter(
      ({ name, node }) => node !== undefined && services.includes(name),
    );
    const words = nodes.map(
      ({ name }) => `For a wallet on it: gateway qr ${name} --wallet zeus --device ${enrolled.device.name}`,
    );
    return { ...enrolled, notices: [...enrolled.notices, ...words] };
  }

  #gently(devices: readonly Device[]): NonNullable<StateChange['ledger']> {
    const { ports, providers, store } = this.#options;
    const ledger = { ...store.ledger() };
    for (const provider of providers) {
      for (const device of devices) {
        const after = provider.revokeGently?.(ledger[provider.id] ?? {}, device, ports.now());
        if (after !== undefined) ledger[provider.id] = after;
      }
    }
    return ledger;
  }

  #find(name: string): Device {
    const device = this.#options.store.device(name);
    if (device !== undefined) return device;
    const names = this.#options.store.devices().map((candidate) => candidate.name);
    throw new GatewayError(`there is no device ${name}`, {
      code: 'DeviceUnknown',
      hint:
        names.length === 0
          ? 'add one: gateway device add NAME --service SERVICE'
          : `devices: ${names.join(', ')}`,
    });
  }
}

function alreadyOver(name: string, expiresAt: string): GatewayError {
  return new GatewayError(`${name} would have ended already, at ${expiresAt}`, {
    code: 'InvalidRequest',
    retry: 'never',
    hint: 'choose a later time: --expires 30d',
  });
}

function demandUsed(
  onionKey: string | undefined,
  ways: readonly Provider[],
  services: readonly string[],
): void {
  if (onionKey === undefined || ways.some(({ deviceKey }) => deviceKey === 'onionKey')) return;
  throw new GatewayError(`no onion service of ${services.join(', ')} asks for a key`, {
    code: 'InvalidRequest',
    retry: 'never',
    hint: 'leave the onion key out, or write into gateway.yaml: tor: { authorization: required }',
  });
}
