import type { EnrolmentInput, Exposure, Handout, Provider } from '../core/contract.ts';
import type { Enrolled, Progress } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import { canonical } from '../core/plan.ts';
import type { Ports } from '../core/ports.ts';
import type { Device } from '../core/service.ts';
import { liveTokens } from '../core/tokens.ts';
import type { Engine } from '../engine/engine.ts';
import type { FailedChange, World } from '../engine/reconciler.ts';
import { peersIn, reportDevice } from '../engine/report.ts';
import type { StateChange, Store } from '../engine/store.ts';
import type { Changes } from './change.ts';
import { base64, keyOf, publicKeysOf, type FreshKeys } from './device-keys.ts';
import type { DeviceLinks } from './device-links.ts';

export interface EnrolmentOptions {
  readonly changes: Changes;
  readonly engine: Engine;
  readonly store: Store;
  readonly ports: Ports;
  readonly providers: readonly Provider[];
  readonly links: DeviceLinks;
}

/** A device as it shall be, and what is handed out for it. */
export interface Plan {
  /** Without the keys that are made now. */
  readonly device: Device;
  readonly keys: readonly FreshKeys[];
  /** Ways in whose key the device has already: only these services' addresses are handed out for them. */
  readonly known?: { readonly providers: readonly Provider[]; readonly services: readonly string[] };
}

/** Puts a device into state and world, and makes its handouts: all of it, or as it was before. */
export class Enrolment {
  readonly #options: EnrolmentOptions;

  constructor(options: EnrolmentOptions) {
    this.#options = options;
  }

  async enrol(
    { device: planned, keys, known }: Plan,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Enrolled> {
    const { changes, ports, providers, store } = this.#options;
    const before = store.device(planned.name);
    const device: Device = { ...planned, ...publicKeysOf(keys) };
    const put = async (): Promise<void> => {
      // Whoever revoked it meanwhile must not find it there again.
      if (canonical(store.device(device.name)) !== canonical(before)) throw changedMeanwhile(device.name);
      for (const { provider, publicKey, preshared } of keys) {
        const keyName = provider.presharedKeyName?.(publicKey);
        if (keyName !== undefined) await ports.keys.put(keyName, 'preshared', preshared);
      }
      await store.commit({ putDevices: [device], ...this.#authority(keys) });
    };
    const involved = [...keys.map(({ provider }) => provider), ...(known?.providers ?? [])];
    try {
      const { failed, world } = await changes.reapply(put, progress, signal);
      const failure = failed.find((change) => concerns(change, device, involved, providers));
      if (failure !== undefined) throw failure.error;
      const made = await Promise.all(keys.map((fresh) => this.#handouts(device, fresh, world)));
      const handouts = [
        ...made.flat(),
        ...(known?.providers ?? []).flatMap((provider) =>
          this.#addresses(device, provider, known?.services ?? [], world),
        ),
      ];
      const held = liveTokens(store.ledger()).filter((token) => token.device === device.name);
      return {
        device: reportDevice(device, peersIn(world), held),
        handouts,
        notices: this.#notices(involved, device),
      };
    } catch (error) {
      if (error instanceof GatewayError) await this.#takeBack(device, before, signal);
      throw error;
    }
  }

  /** Removes what is kept of a device's keys: of all, or of those that `after` has no more. */
  async forget(device: Device, after?: Device): Promise<void> {
    const { certificate } = device;
    if (certificate !== undefined && certificate !== after?.certificate)
      this.#options.links.drop(certificate);
    for (const provider of this.#options.providers) {
      const publicKey = keyOf(device, provider);
      if (after !== undefined && keyOf(after, provider) === publicKey) continue;
      const name = publicKey === undefined ? undefined : provider.presharedKeyName?.(publicKey);
      if (name !== undefined) await this.#options.ports.keys.remove(name);
    }
  }

  /** Keys that nobody was given must not be what the next `device list` shows: it is as it was before. */
  async #takeBack(device: Device, before: Device | undefined, signal: AbortSignal): Promise<void> {
    const { changes, ports, store } = this.#options;
    if (canonical(store.device(device.name)) !== canonical(device)) return;
    const restored = before === undefined ? { removeDevices: [device.name] } : { putDevices: [before] };
    const commit = (): Promise<void> => store.commit(restored);
    try {
      await changes.reapply(commit, () => undefined, signal);
      await this.forget(device, before);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      ports.log('warn', 'what was begun for a device is undone by the next pass', { error: error.message });
    }
  }

  /** The certificate of who made theirs goes to HAProxy with the first of them, and stays. */
  #authority(keys: readonly FreshKeys[]): Pick<StateChange, 'ledger'> {
    const ledger = this.#options.store.ledger();
    const issued = keys.find((fresh) => fresh.issued !== undefined)?.issued;
    if (issued === undefined || ledger['edge']?.['authority'] !== undefined) return {};
    return { ledger: { ...ledger, edge: { ...ledger['edge'], authority: issued.authority } } };
  }

  async #handouts(
    device: Device,
    { provider, privateKey, preshared, issued }: FreshKeys,
    world: World,
  ): Promise<readonly Handout[]> {
    const certificate = issued?.bundle.reveal();
    const secrets = {
      privateKey: privateKey.reveal(),
      presharedKey: base64(preshared.reveal()),
      ...(certificate === undefined ? {} : { certificate }),
    };
    const exposures = this.#open(provider, device.services);
    const handouts = this.#ask(device, provider, secrets, exposures, world);
    return this.#options.links.add(device, handouts);
  }

  /** What the device that has its key needs for more services: an onion's address; nothing for a tunnel. */
  #addresses(
    device: Device,
    provider: Provider,
    services: readonly string[],
    world: World,
  ): readonly Handout[] {
    if (provider.capabilities.network === 'vpn') return [];
    const nothing = { privateKey: '', presharedKey: '' };
    return this.#ask(device, provider, nothing, this.#open(provider, services), world);
  }

  #open(provider: Provider, services: readonly string[]): Exposure[] {
    const all = this.#options.engine.desired?.exposures ?? [];
    const open = all.filter((one) => one.provider === provider.id && one.problem === undefined);
    return open.filter(({ service }) => services.includes(service.name));
  }

  #ask(
    device: Device,
    provider: Provider,
    secrets: Pick<EnrolmentInput, 'privateKey' | 'presharedKey' | 'certificate'>,
    exposures: readonly Exposure[],
    world: World,
  ): readonly Handout[] {
    const { engine, changes } = this.#options;
    const { desired } = engine;
    if (provider.enrol === undefined || desired === undefined) {
      throw new TypeError(`${provider.id} was chosen for a device and enrols none`);
    }
    const { network, services } = desired;
    const settings = changes.current().settings[provider.id];
    return provider.enrol(
      { device, ...secrets, network, services, exposures, settings },
      world.get(provider.id) ?? [],
    );
  }

  #notices(providers: readonly Provider[], { services }: Device): string[] {
    const { desired, health } = this.#options.engine;
    return providers.flatMap(({ id, title, capabilities }) => {
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
}

/** What this device itself needs, or what all need; not what failed for another device, or for a way in of others. */
function concerns(
  { part, change, error }: FailedChange,
  { name, services }: Device,
  involved: readonly Provider[],
  providers: readonly Provider[],
): boolean {
  const isForeignWay =
    providers.some(({ id }) => id === part.id) && !involved.some(({ id }) => id === part.id);
  if (change.op === 'delete' || isForeignWay || isStopped(error)) return false;
  const { label = name, neededBy } = change.want;
  return label === name && neededBy.some((service) => services.includes(service));
}

function changedMeanwhile(name: string): GatewayError {
  return new GatewayError(`${name} was changed by somebody else at the same time; nothing was done`, {
    code: 'InvalidRequest',
    hint: 'see gateway device list, and say again what you want',
  });
}

/** The owner stopped a container; the device will reach it when it runs again. */
export function isStopped({ code }: GatewayError): boolean {
  return code === 'NamespaceMissing';
}
