import { z } from 'zod';
import type { Ledger } from './contract.ts';
import { GatewayError } from './errors.ts';
import { DEVICE_RIGHTS } from './rights.ts';
import type { Device } from './service.ts';

/** Ledger slices by part id; `services` belongs to the compiler: `service/<name>` → address. */
export type Ledgers = Readonly<Record<string, Ledger>>;

/**
 * Everything that must survive: acknowledged one change at a time, numbered by `counter`, stored twice (database and
 * snapshot). Pure: a change makes a new state.
 */
const LedgersSchema = z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number()])));

const DeviceSchema = z.strictObject({
  name: z.string(),
  services: z.array(z.string()).readonly(),
  publicKey: z.string().optional(),
  onionKey: z.string().optional(),
  certificate: z.string().optional(),
  addedAt: z.string(),
  expiresAt: z.string().optional(),
  rights: z.array(z.enum(DEVICE_RIGHTS)).readonly().optional(),
  reachedBy: z
    .array(z.strictObject({ service: z.string(), port: z.int() }))
    .readonly()
    .optional(),
});

const StoredGeneration = z.strictObject({
  number: z.int().min(1),
  /** Text of gateway.yaml. */
  config: z.string(),
  /** ISO 8601 */
  appliedAt: z.string(),
  programmed: z.boolean(),
  current: z.boolean(),
});
export type StoredGeneration = z.infer<typeof StoredGeneration>;

export const State = z.strictObject({
  counter: z.int().min(0),
  ledger: LedgersSchema,
  devices: z.array(DeviceSchema),
  /** Fingerprint of each key that was ever used, by name. */
  keys: z.record(z.string(), z.string()),
  generations: z.array(StoredGeneration),
  /** The owner said `down`: nothing is opened, also after a restart, until they say `up`. */
  isDown: z.boolean().default(false),
});
export type State = z.infer<typeof State>;

/** What one acknowledged change does, all of it or nothing. What is left out stays. */
export interface StateChange {
  /** All slices by part id; a slice that is not named is dropped. */
  readonly ledger?: Ledgers;
  readonly putDevices?: readonly Device[];
  readonly removeDevices?: readonly string[];
  readonly rememberKeys?: Readonly<Record<string, string>>;
  readonly forgetKeys?: readonly string[];
  /** Becomes the current one, not programmed yet, with the next number. */
  readonly addGeneration?: { readonly config: string; readonly appliedAt: string };
  /** Makes an earlier one the current one again. */
  readonly useGeneration?: number;
  /** Everything of this generation is in the world. */
  readonly programmed?: number;
  readonly isDown?: boolean;
}

/** What cannot be read again must not be written: an unknown field is a bug that shows at once. */
const StateChangeSchema = z.strictObject({
  ledger: LedgersSchema.optional(),
  putDevices: z.array(DeviceSchema).optional(),
  removeDevices: z.array(z.string()).optional(),
  rememberKeys: z.record(z.string(), z.string()).optional(),
  forgetKeys: z.array(z.string()).optional(),
  addGeneration: z.strictObject({ config: z.string(), appliedAt: z.string() }).optional(),
  useGeneration: z.int().optional(),
  programmed: z.int().optional(),
  isDown: z.boolean().optional(),
});
type CheckedChange = z.infer<typeof StateChangeSchema>;

export const EMPTY_STATE: State = {
  counter: 0,
  ledger: {},
  devices: [],
  keys: {},
  generations: [],
  isDown: false,
};

/** The next state, or `state` itself when nothing differs. */
export function changeState(state: State, change: StateChange): State {
  const checked = StateChangeSchema.parse(change);
  const next = normalise({
    ...state,
    ledger: checked.ledger ?? state.ledger,
    devices: changeDevices(state.devices, checked),
    keys: changeKeys(state.keys, checked),
    generations: changeGenerations(state.generations, checked),
    isDown: checked.isDown ?? state.isDown,
  });
  const body = bodyOf(next);
  if (body === bodyOf(state)) return state;
  const counted = { ...next, counter: state.counter + 1 };
  bodies.set(counted, body);
  return counted;
}

/** One text for one state: everything is sorted. */
export function serialise(state: State): string {
  return `{"counter":${state.counter},${bodyOf(state).slice(1)}`;
}

/** States never change, and with ten thousand devices the text of one takes longer to make than to store. */
const bodies = new WeakMap<State, string>();

function bodyOf(state: State): string {
  const { ledger, devices, keys, generations, isDown } = state;
  const body = bodies.get(state) ?? JSON.stringify({ ledger, devices, keys, generations, isDown });
  bodies.set(state, body);
  return body;
}

/** `undefined` when the text is not a state. */
export function deserialise(value: unknown): State | undefined {
  const parsed = State.safeParse(value);
  return parsed.success ? normalise(parsed.data) : undefined;
}

function normalise({ counter, ledger, devices, keys, generations, isDown }: State): State {
  const slices = Object.entries(ledger).map(([id, slice]): [string, typeof slice] => [id, sorted(slice)]);
  return {
    counter,
    ledger: sorted(Object.fromEntries(slices)),
    devices: [...devices].sort((a, b) => (a.name < b.name ? -1 : 1)),
    keys: sorted(keys),
    generations: [...generations].sort((a, b) => a.number - b.number),
    isDown,
  };
}

function sorted<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function changeDevices(
  devices: State['devices'],
  { putDevices, removeDevices }: CheckedChange,
): State['devices'] {
  if (putDevices === undefined && removeDevices === undefined) return devices;
  const byName = new Map(devices.map((device) => [device.name, device]));
  for (const name of removeDevices ?? []) byName.delete(name);
  for (const device of putDevices ?? []) byName.set(device.name, device);
  return [...byName.values()];
}

function changeKeys(keys: State['keys'], { rememberKeys, forgetKeys }: CheckedChange): State['keys'] {
  const forgotten = new Set(forgetKeys);
  const kept = Object.entries(keys).filter(([name]) => !forgotten.has(name));
  return { ...Object.fromEntries(kept), ...rememberKeys };
}

function changeGenerations(generations: StoredGeneration[], change: CheckedChange): StoredGeneration[] {
  const { addGeneration, programmed, useGeneration } = change;
  if (useGeneration !== undefined && !generations.some(({ number }) => number === useGeneration)) {
    throw new GatewayError(`there is no generation ${useGeneration}`, {
      code: 'GenerationUnknown',
      retry: 'never',
      hint: 'choose one of those that are kept',
    });
  }
  const next = Math.max(0, ...generations.map(({ number }) => number)) + 1;
  const current = addGeneration === undefined ? useGeneration : next;
  const added =
    addGeneration === undefined ? [] : [{ number: next, ...addGeneration, programmed: false, current: true }];
  const changed = [...generations, ...added].map((generation) => ({
    ...generation,
    programmed: generation.programmed || generation.number === programmed,
    current: current === undefined ? generation.current : generation.number === current,
  }));
  return pruneGenerations(changed);
}

const MAX_GENERATIONS = 50;
const MAX_GENERATION_CHARACTERS = 2 * 1024 * 1024;

/** The oldest go first; the current one and the last that was fully programmed never. */
function pruneGenerations(generations: readonly StoredGeneration[]): StoredGeneration[] {
  const newest = [...generations].sort((a, b) => b.number - a.number);
  const lastProgrammed = newest.find(({ programmed, current }) => programmed && !current);
  let characters = 0;
  return newest.filter((generation, index) => {
    characters += generation.config.length;
    const fits = index < MAX_GENERATIONS && characters <= MAX_GENERATION_CHARACTERS;
    return fits || generation.current || generation === lastProgrammed;
  });
}
