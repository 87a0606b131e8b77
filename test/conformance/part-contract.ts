import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import { parseConfig } from '../../src/core/config.ts';
import type { Context, Part, Provider } from '../../src/core/contract.ts';
import { compileDesired, type Desired } from '../../src/core/desired.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Ports } from '../../src/core/ports.ts';
import type { Device } from '../../src/core/service.ts';
import { pass, planAll, observeAll, sentenceOf } from '../../src/engine/reconciler.ts';
import { faultyPorts, type Fault } from '../support/faulty-ports.ts';

/**
 * The suite that every provider passes, written to be read from top to bottom by whoever writes the next one: easiest
 * first. Real providers run it in a lab, against the real helper, nftables, WireGuard and tor; nothing is simulated
 * but the faults.
 */

/** A piece of config, and the devices that exist with it. */
export interface Sample {
  readonly config: string;
  readonly devices?: readonly Device[];
}

/** A machine to try the provider on; made anew for each case. */
export interface ContractWorld {
  readonly ports: Ports;
  /** Built-in parts that the provider needs, foundations first. */
  readonly parts: readonly Part[];
  /** Tells the helper what the config justifies, as the daemon does before each pass. */
  permit(desired: Desired): Promise<void>;
  /** A new instance over the same machine: what a restart of the daemon is. */
  open(): Provider;
  /** Makes something that looks like ours but is not; `intact` says whether it is still there. */
  plantStranger(): Promise<{ intact(): Promise<boolean> }>;
  /** Texts that must never show in plans, observations or errors: private keys that the provider made. */
  secrets(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface ContractSetup {
  readonly id: string;
  /** Folder with README.md; the memory provider has none. */
  readonly folder?: string;
  create(): Promise<ContractWorld>;
  readonly samples: {
    readonly one: Sample;
    /** The same service, but somewhere else (another port). */
    readonly changed: Sample;
    /** A second service besides the first. */
    readonly two: Sample;
  };
  /** Facts that must survive update, restart and re-creation: the onion address, the public key. */
  readonly identity: readonly string[];
  /** A skip needs its reason. */
  readonly skip?: Partial<Record<ContractCase, string>>;
}

export type ContractCase =
  | 'describes itself'
  | 'compiles deterministically'
  | 'observes without changing anything'
  | 'converges'
  | 'is idempotent'
  | 'keeps its identity through an update'
  | 'keeps its identity through removal'
  | 'deletes all it made, and only that'
  | 'restarts over the same world'
  | 'does nothing when aborted'
  | 'converges after a fault at any effect'
  | 'fails with typed errors'
  | 'has addresses only once observed'
  | 'never says no when it could not check'
  | 'shows no secret'
  | 'closes twice';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const EMPTY: Sample = { config: 'services: {}' };

export function partContract(setup: ContractSetup): void {
  const { one, changed, two } = setup.samples;
  const contractCase = (name: ContractCase, run: () => Promise<void>): void => {
    const why = setup.skip?.[name];
    if (why === undefined) it(name, run, 180_000);
    else it.skip(`${name} (skipped: ${why})`);
  };

  describe(`contract: ${setup.id}`, () => {
    let world: ContractWorld;
    let provider: Provider;
    beforeEach(async () => {
      world = await setup.create();
      provider = world.open();
    });
    afterEach(async () => {
      await provider.close();
      await world.close();
    });

    const all = (): readonly Part[] => [...world.parts, provider];
    const context = (ports = world.ports, signal = AbortSignal.timeout(30_000)): Context => ({
      signal,
      network: NETWORK,
      ports,
    });
    const compile = (sample: Sample): Desired => desiredOf(sample, world.parts, provider);
    const drive = async (sample: Sample, ports = world.ports) => {
      const desired = compile(sample);
      await world.permit(desired);
      return pass(all(), desired.resources, context(ports), SILENT);
    };
    const converge = async (sample: Sample) => {
      const report = await drive(sample);
      expect(report.failed.map(({ error }) => error.message)).toEqual([]);
      return report;
    };
    const pending = async (sample: Sample): Promise<string[]> =>
      planAll(all(), compile(sample).resources, await observeAll(all(), context())).map(sentenceOf);
    const mine = async () => provider.observe(context());
    const identity = async () =>
      (await mine())
        .flatMap(({ facts }) => setup.identity.flatMap((name) => String(facts[name] ?? [])))
        .sort();

    contractCase('describes itself', async () => {
      expect(provider.id).toBe(setup.id);
      expect(provider.title).not.toBe('');
      expect(provider.kinds.length).toBeGreaterThan(0);
      if (setup.folder !== undefined) {
        expect(existsSync(join(resolve(import.meta.dirname, '../..'), setup.folder, 'README.md'))).toBe(true);
      }
      for (const change of planAll([provider], compile(one).resources, new Map())) {
        expect(sentenceOf(change)).toMatch(/^[a-z].{10,}$/);
      }
      return Promise.resolve();
    });

    contractCase('compiles deterministically', async () => {
      const reversed = { ...two, devices: [...(two.devices ?? [])].toReversed() };
      expect(compile(two).resources).toEqual(compile(reversed).resources);
      expect(compile(two).resources).toEqual(compile(two).resources);
      expect(compile(one).resources.get(setup.id)).not.toHaveLength(0);
      return Promise.resolve();
    });

    contractCase('observes without changing anything', async () => {
      await converge(one);
      const before = await mine();
      const watched = faultyPorts(world.ports);
      await provider.observe(context(watched.ports));
      const writes = watched.effects.filter((effect) => !/observe|listeners|^keys\.read/.test(effect));
      expect(writes).toEqual([]);
      expect((await mine()).map(({ key, spec }) => ({ key, spec }))).toEqual(
        before.map(({ key, spec }) => ({ key, spec })),
      );
    });

    contractCase('converges', async () => {
      expect(await pending(one)).not.toEqual([]);
      await converge(one);
      expect(await pending(one)).toEqual([]);
      await converge(two);
      expect(await pending(two)).toEqual([]);
    });

    contractCase('is idempotent', async () => {
      const report = await converge(one);
      for (const { part, change } of report.changes) await part.apply(change, context());
      expect(await pending(one)).toEqual([]);
    });

    contractCase('keeps its identity through an update', async () => {
      await converge(one);
      const before = await identity();
      expect(before.length).toBeGreaterThan(0);
      await converge(changed);
      expect(await pending(changed)).toEqual([]);
      expect(await identity()).toEqual(before);
    });

    contractCase('keeps its identity through removal', async () => {
      await converge(one);
      const before = await identity();
      await converge(EMPTY);
      await converge(one);
      expect(await identity()).toEqual(before);
    });

    contractCase('deletes all it made, and only that', async () => {
      const stranger = await world.plantStranger();
      await converge(two);
      await converge(EMPTY);
      expect(await mine()).toEqual([]);
      expect(await pending(EMPTY)).toEqual([]);
      expect(await stranger.intact()).toBe(true);
    });

    contractCase('restarts over the same world', async () => {
      await converge(one);
      const before = await mine();
      await provider.close();
      provider = world.open();
      expect((await mine()).map(({ key, spec }) => ({ key, spec }))).toEqual(
        before.map(({ key, spec }) => ({ key, spec })),
      );
      expect(await pending(one)).toEqual([]);
    });

    contractCase('does nothing when aborted', async () => {
      await world.permit(compile(one));
      const [first] = planAll(all(), compile(one).resources, new Map());
      const aborted = context(world.ports, AbortSignal.abort());
      await expect(first?.part.apply(first.change, aborted)).rejects.toThrow();
      expect(await pending(one)).toHaveLength(planAll(all(), compile(one).resources, new Map()).length);
    });

    contractCase('converges after a fault at any effect', async () => {
      const effects = await countEffects();
      expect(effects).toBeGreaterThan(0);
      for (const when of ['before', 'after'] as const) {
        for (let at = 0; at < effects; at += 1) {
          await failingPass({ at, when });
          await converge(one);
          expect({ at, when, left: await pending(one) }).toEqual({ at, when, left: [] });
          await converge(EMPTY);
        }
      }
    });

    const countEffects = async (): Promise<number> => {
      const watched = faultyPorts(world.ports);
      await drive(one, watched.ports);
      await converge(EMPTY);
      return watched.effects.length;
    };
    const failingPass = async (fault: Fault): Promise<void> => {
      try {
        await drive(one, faultyPorts(world.ports, fault).ports);
      } catch (error) {
        // A fault while observing ends the pass; one while applying is recorded by it. Both are legal here.
        if (!(error instanceof GatewayError) || !error.message.includes('injected')) throw error;
      }
    };

    contractCase('fails with typed errors', async () => {
      const { failed } = await drive(one, refusing(world.ports));
      if (world.parts.length > 0) expect(failed).not.toEqual([]);
      for (const { error } of failed) {
        expect(error).toBeInstanceOf(GatewayError);
        expect(error.message).not.toBe('');
      }
    });

    contractCase('has addresses only once observed', async () => {
      const exposure = compile(one).exposures.find((candidate) => candidate.provider === setup.id)!;
      expect(provider.addresses(exposure, [])).toEqual([]);
      expect(provider.published(exposure, []).status).not.toBe('yes');
      await converge(one);
      expect(provider.addresses(exposure, await mine())).not.toEqual([]);
    });

    contractCase('never says no when it could not check', async () => {
      await converge(one);
      const exposure = compile(one).exposures.find((candidate) => candidate.provider === setup.id)!;
      const reach = await provider.reach(exposure, await mine(), context());
      expect(reach.reachable).toBe('unknown');
      expect(reach.detail.length).toBeGreaterThan(10);
    });

    contractCase('shows no secret', async () => {
      const report = await converge(two);
      const shown = JSON.stringify([report.changes.map(({ change }) => change), [...report.world]]);
      const secrets = await world.secrets();
      for (const secret of secrets) expect(shown).not.toContain(secret);
    });

    contractCase('closes twice', async () => {
      await provider.close();
      await provider.close();
    });
  });
}

const SILENT = { applying: () => undefined, applied: () => undefined, failed: () => undefined };

/** Ports whose helper refuses everything but looking. */
function refusing(real: Ports): Ports {
  const refusal = new GatewayError('the helper refuses', { code: 'HelperRefused', retry: 'when-changed' });
  return {
    ...real,
    helper: {
      call: (name, input, signal) =>
        name.includes('observe') ? real.helper.call(name, input, signal) : Promise.reject(refusal),
    },
  };
}

function desiredOf(sample: Sample, parts: readonly Part[], provider: Provider): Desired {
  const { config, problems } = parseConfig(sample.config, [provider]);
  if (config === undefined) throw new Error(`sample: ${JSON.stringify(problems)}`);
  const desired = compileDesired({
    config,
    devices: sample.devices ?? [],
    ledger: {},
    parts,
    providers: [provider],
    network: NETWORK,
  });
  expect(desired.problems).toEqual([]);
  return desired;
}
