import type { Handout, Provider } from '../core/contract.ts';
import type { DeviceDraft, Enrolled, Progress } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { Device } from '../core/service.ts';
import type { DeviceStatus } from '../core/status.ts';
import type { Engine } from '../engine/engine.ts';
import type { FailedChange, World } from '../engine/reconciler.ts';
import type { StateChange, Store } from '../engine/store.ts';
import type { Changes } from './change.ts';
import { demandOwn, demandReachers } from './device-demands.ts';
import { base64, keyOf, makeKeys, publicKeysOf, type FreshKeys } from './device-keys.ts';
import { demandRoom, waysFor } from './device-ways.ts';
import type { Recorder } from './journal.ts';

export interface DevicesOptions {
  readonly changes: Changes;
  readonly engine: Engine;
  readonly store: Store;
  readonly ports: Ports;
  readonly record: Recorder;
  readonly providers: readonly Provider[];
  readonly report: (name: string) => Promise<DeviceStatus>;
}

/** Adds, renews and revokes devices: keys first, then state, then the world. */
export class Devices {
  readonly #options: DevicesOptions;

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  async add(draft: DeviceDraft, progress: Progress, signal: AbortSignal): Promise<Enrolled> {
    const { changes, engine, ports, providers, record, store } = this.#options;
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
    const keys = ways.map((provider) => makeKeys(provider, brought, ports.crypto));
    const { reachedBy } = draft;
    demandReachers(name, reachedBy ?? [], engine.desired);
    const plan = { name, services: [...services], expiresAt, reachedBy };
    const enrolled = await this.#enrol(plan, keys, progress, signal);
    const until = expiresAt === undefined ? '' : `, until ${expiresAt}`;
    record('device.added', `device ${name} was added for ${services.join(', ')}${until}`, { device: name });
    return enrolled;
  }

  /** Same name, services, address and end; the old keys stop working with the pass that sets the new ones. */
  async renew(name: string, progress: Progress, signal: AbortSignal): Promise<Enrolled> {
    const { changes, engine, ports, providers, record } = this.#options;
    changes.demandUp();
    const before = this.#find(name);
    const ways = waysFor(before.services, engine.desired, providers);
    const keys = ways.map((provider) => makeKeys(provider, {}, ports.crypto));
    const enrolled = await this.#enrol(before, keys, progress, signal);
    await this.#forget(before);
    record('device.renewed', `device ${name} has new keys`, { device: name });
    return enrolled;
  }

  async revoke(
    name: string,
    { gently }: { readonly gently: boolean },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { changes, record } = this.#options;
    const device = this.#find(name);
    const commit = (): Promise<void> => this.#remove([device], gently);
    const report = await changes.reapply(commit, progress, signal);
    await this.#forget(device);
    const how = gently ? ' without disturbing others' : '';
    record('device.revoked', `device ${name} was revoked${how}`, { device: name });
    const failure = report.failed.find(({ error }) => !isStopped(error));
    if (failure !== undefined) throw failure.error;
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
      await this.#forget(device);
      record('device.expired', `the time of device ${device.name} is over: it was revoked`, {
        device: device.name,
      });
    }
  }

  async #remove(devices: readonly Device[], gently: boolean): Promise<void> {
    const { store } = this.#options;
    const removeDevices = devices.map(({ name }) => name);
    await store.commit({ removeDevices, ...(gently ? { ledger: this.#gently(devices) } : {}) });
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

  async #enrol(
    { name, services, expiresAt, reachedBy }: Pick<Device, 'name' | 'services' | 'expiresAt' | 'reachedBy'>,
    keys: readonly FreshKeys[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Enrolled> {
    const { changes, ports, report, store } = this.#options;
    const before = store.device(name);
    const device: Device = {
      name,
      services: [...services],
      ...publicKeysOf(keys),
      addedAt: new Date(ports.now()).toISOString(),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(reachedBy === undefined ? {} : { reachedBy }),
    };
    const put = async (): Promise<void> => {
      for (const { provider, publicKey, preshared } of keys) {
        const keyName = provider.presharedKeyName?.(publicKey);
        if (keyName !== undefined) await ports.keys.put(keyName, 'preshared', preshared);
      }
      await store.commit({ putDevices: [device] });
    };
    try {
      const { failed, world } = await changes.reapply(put, progress, signal);
      const failure = failed.find((change) => concerns(change, device, keys, this.#options.providers));
      if (failure !== undefined) throw failure.error;
      const handouts = keys.flatMap((fresh) => this.#handouts(device, fresh, world));
      return { device: await report(name), handouts, notices: this.#notices(keys, device) };
    } catch (error) {
      if (error instanceof GatewayError) await this.#takeBack(device, before, signal);
      throw error;
    }
  }

  /** Keys that nobody was given must not be what the next `device list` shows: it is as it was before. */
  async #takeBack(device: Device, before: Device | undefined, signal: AbortSignal): Promise<void> {
    const { changes, ports, store } = this.#options;
    const now = store.device(device.name);
    if (now?.publicKey !== device.publicKey || now?.onionKey !== device.onionKey) return;
    const restored = before === undefined ? { removeDevices: [device.name] } : { putDevices: [before] };
    const commit = (): Promise<void> => store.commit(restored);
    try {
      await changes.reapply(commit, () => undefined, signal);
      await this.#forget(device);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      ports.log('warn', 'what was begun for a device is undone by the next pass', { error: error.message });
    }
  }

  #handouts(
    device: Device,
    { provider, privateKey, preshared }: FreshKeys,
    world: World,
  ): readonly Handout[] {
    const { engine, changes } = this.#options;
    const { desired } = engine;
    if (provider.enrol === undefined || desired === undefined) {
      throw new TypeError(`${provider.id} was chosen for a device and enrols none`);
    }
    const { network, services } = desired;
    const settings = changes.current().settings[provider.id];
    const secrets = { privateKey: privateKey.reveal(), presharedKey: base64(preshared.reveal()) };
    const open = desired.exposures.filter((one) => one.provider === provider.id && one.problem === undefined);
    const exposures = open.filter(({ service }) => device.services.includes(service.name));
    return provider.enrol(
      { device, ...secrets, network, services, exposures, settings },
      world.get(provider.id) ?? [],
    );
  }

  #notices(keys: readonly FreshKeys[], { services }: Device): string[] {
    const { desired, health } = this.#options.engine;
    return keys.flatMap(({ provider: { id, title, capabilities } }) => {
      const isProved = desired?.exposures.some(
        ({ provider, service }) =>
          provider === id &&
          (capabilities.network === 'vpn' || services.includes(service.name)) &&
          health.latest(`${service.name}/${id}`)?.reachable === 'yes',
      );
      if (isProved === true) return [];
      return capabilities.network === 'vpn'
        ? [
            'This path has not been proved from outside yet; it turns green with the first handshake from another network.',
          ]
        : [`${title}: this path has not been proved from outside yet; see gateway status.`];
    });
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

  async #forget(device: Device): Promise<void> {
    for (const provider of this.#options.providers) {
      const publicKey = keyOf(device, provider);
      const name = publicKey === undefined ? undefined : provider.presharedKeyName?.(publicKey);
      if (name !== undefined) await this.#options.ports.keys.remove(name);
    }
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

/** What this device itself needs, or what all need; not what failed for another device, or for a way in of others. */
function concerns(
  { part, change, error }: FailedChange,
  { name, services }: Device,
  keys: readonly FreshKeys[],
  providers: readonly Provider[],
): boolean {
  const isForeignWay =
    providers.some(({ id }) => id === part.id) && !keys.some((one) => one.provider.id === part.id);
  if (change.op === 'delete' || isForeignWay || isStopped(error)) return false;
  const { label = name, neededBy } = change.want;
  return label === name && neededBy.some((service) => services.includes(service));
}

/** The owner stopped a container; the device will reach it when it runs again. */
function isStopped({ code }: GatewayError): boolean {
  return code === 'NamespaceMissing';
}
