import type { Handout, Provider } from '../core/contract.ts';
import type { Enrolled, Progress } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import { Secret } from '../core/secret.ts';
import type { Device } from '../core/service.ts';
import type { DeviceStatus } from '../core/status.ts';
import type { Engine } from '../engine/engine.ts';
import type { FailedChange } from '../engine/reconciler.ts';
import type { Store } from '../engine/store.ts';
import type { Changes } from './change.ts';
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

/** A device's keys; the private one is handed out once and forgotten. */
interface FreshKeys {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly presharedKey: string;
  readonly preshared: Secret<Uint8Array>;
}

/** Adds, renews and revokes devices: keys first, then state, then the world. */
export class Devices {
  readonly #options: DevicesOptions;

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  async add(
    name: string,
    services: readonly string[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Enrolled> {
    this.#options.changes.demandUp();
    if (this.#options.store.device(name) !== undefined) {
      throw new GatewayError(`there is a device ${name} already`, {
        code: 'AlreadyExists',
        retry: 'never',
        hint: `choose another name, or give it new keys: gateway device renew ${name}`,
      });
    }
    const provider = this.#providerFor(services);
    const keys = this.#makeKeys();
    const enrolled = await this.#enrol(provider, { name, services: [...services] }, keys, progress, signal);
    this.#options.record('device.added', `device ${name} was added for ${services.join(', ')}`, {
      device: name,
    });
    return enrolled;
  }

  /** Same name, services and address; the old keys stop working with the pass that sets the new ones. */
  async renew(name: string, progress: Progress, signal: AbortSignal): Promise<Enrolled> {
    this.#options.changes.demandUp();
    const before = this.#find(name);
    const provider = this.#providerFor(before.services);
    const keys = this.#makeKeys();
    const enrolled = await this.#enrol(provider, before, keys, progress, signal);
    await this.#forget(provider, before);
    this.#options.record('device.renewed', `device ${name} has new keys`, { device: name });
    return enrolled;
  }

  async revoke(name: string, progress: Progress, signal: AbortSignal): Promise<void> {
    const { store, changes, providers } = this.#options;
    const device = this.#find(name);
    const report = await changes.reapply(() => store.commit({ removeDevices: [name] }), progress, signal);
    for (const provider of providers) await this.#forget(provider, device);
    this.#options.record('device.revoked', `device ${name} was revoked`, { device: name });
    const [failure] = report.failed;
    if (failure !== undefined) throw failure.error;
  }

  async #enrol(
    provider: Provider,
    device: Pick<Device, 'name' | 'services'>,
    keys: FreshKeys,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Enrolled> {
    const { store, engine, ports } = this.#options;
    const before = store.device(device.name);
    const full: Device = {
      name: device.name,
      services: device.services,
      publicKey: keys.publicKey,
      addedAt: new Date(ports.now()).toISOString(),
    };
    const keyName = provider.presharedKeyName?.(keys.publicKey);
    const put = async (): Promise<void> => {
      if (keyName !== undefined) await ports.keys.put(keyName, 'preshared', keys.preshared);
      await store.commit({ putDevices: [{ ...full, services: [...full.services] }] });
    };
    try {
      const handout = await this.#letIn(provider, full, keys, put, progress, signal);
      const notices = this.#notices(provider, engine);
      return { device: await this.#options.report(device.name), handout, notices };
    } catch (error) {
      if (error instanceof GatewayError) await this.#takeBack(provider, full, before, signal);
      throw error;
    }
  }

  async #letIn(
    provider: Provider,
    device: Device,
    keys: FreshKeys,
    put: () => Promise<void>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Handout> {
    const { failed, world } = await this.#options.changes.reapply(put, progress, signal);
    const failure = failed.find((change) => concerns(change, device));
    if (failure !== undefined) throw failure.error;
    return this.#handout(provider, device, keys, world.get(provider.id) ?? []);
  }

  /** Keys that nobody was given must not be what the next `device list` shows: it is as it was before. */
  async #takeBack(
    provider: Provider,
    device: Device,
    before: Device | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { changes, ports, store } = this.#options;
    if (store.device(device.name)?.publicKey !== device.publicKey) return;
    const restored =
      before === undefined
        ? { removeDevices: [device.name] }
        : { putDevices: [{ ...before, services: [...before.services] }] };
    try {
      await changes.reapply(
        () => store.commit(restored),
        () => undefined,
        signal,
      );
      await this.#forget(provider, device);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      ports.log('warn', 'what was begun for a device is undone by the next pass', { error: error.message });
    }
  }

  #handout(
    provider: Provider,
    device: Device,
    keys: FreshKeys,
    observed: Parameters<Provider['handouts']>[1],
  ): Handout {
    const { engine, changes } = this.#options;
    const desired = engine.desired;
    if (provider.enrol === undefined || desired === undefined) {
      throw new GatewayError(`${provider.title} hands out nothing to devices`, {
        code: 'NotSupported',
        retry: 'never',
      });
    }
    const { privateKey, presharedKey } = keys;
    const settings = changes.current().settings[provider.id];
    const { network, services } = desired;
    return provider.enrol({ device, privateKey, presharedKey, network, services, settings }, observed);
  }

  #notices(provider: Provider, engine: Engine): string[] {
    const isProved = engine.desired?.exposures.some(
      (exposure) =>
        exposure.provider === provider.id &&
        engine.health.latest(`${exposure.service.name}/${provider.id}`)?.reachable === 'yes',
    );
    return isProved === true
      ? []
      : [
          'This path has not been proved from outside yet; it turns green with the first handshake from another network.',
        ];
  }

  /** The way in that gives credentials to devices and that one of these services is exposed through. */
  #providerFor(services: readonly string[]): Provider {
    const { engine, providers } = this.#options;
    const known = new Set(engine.desired?.services.map((service) => service.name));
    const unknown = services.find((service) => !known.has(service));
    if (unknown !== undefined) {
      const list = [...known].join(', ') || 'none yet';
      throw new GatewayError(`there is no service ${unknown}`, {
        code: 'ServiceUnknown',
        hint: `services: ${list}`,
      });
    }
    const provider = providers.find(
      ({ id, capabilities }) => capabilities.perDeviceCredentials && this.#isOpen(id, services),
    );
    if (provider !== undefined) return provider;
    throw new GatewayError(`${services.join(', ')}: not reachable by devices`, {
      code: 'InvalidRequest',
      hint:
        this.#reasonClosed(services) ??
        `expose it first: gateway expose ${services[0] ?? 'NAME'} --via wireguard`,
    });
  }

  #isOpen(provider: string, services: readonly string[]): boolean {
    const exposures = this.#options.engine.desired?.exposures ?? [];
    const isGranted = (name: string): boolean =>
      exposures.some(
        (one) => one.provider === provider && one.service.name === name && one.problem === undefined,
      );
    return services.every(isGranted);
  }

  #reasonClosed(services: readonly string[]): string | undefined {
    const exposures = this.#options.engine.desired?.exposures ?? [];
    const { problem } =
      exposures.find((one) => services.includes(one.service.name) && one.problem !== undefined) ?? {};
    return problem?.hint === undefined ? problem?.message : `${problem.message}; ${problem.hint}`;
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

  #makeKeys(): FreshKeys {
    const { crypto } = this.#options.ports;
    const secret = crypto.curve25519Secret();
    const preshared = crypto.random(32);
    return {
      privateKey: base64(secret),
      publicKey: base64(crypto.curve25519Public(secret)),
      presharedKey: base64(preshared),
      preshared: new Secret(preshared),
    };
  }

  async #forget(provider: Provider, device: Device): Promise<void> {
    const name = provider.presharedKeyName?.(device.publicKey);
    if (name !== undefined) await this.#options.ports.keys.remove(name);
  }
}

/** What this device itself needs, or what all need; not what failed for another device. */
function concerns({ change }: FailedChange, { name, services }: Device): boolean {
  if (change.op === 'delete') return false;
  const { label = name, neededBy } = change.want;
  return label === name && neededBy.some((service) => services.includes(service));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
