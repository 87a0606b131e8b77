import { z } from 'zod';

/**
 * Everything that must survive: acknowledged one change at a time, numbered by `counter`, stored twice (database and
 * snapshot). Pure: a change makes a new state.
 */
const LedgersSchema = z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number()])));

const DeviceSchema = z.strictObject({
  name: z.string(),
  services: z.array(z.string()),
  publicKey: z.string(),
  addedAt: z.string(),
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
});
export type State = z.infer<typeof State>;

/** What one acknowledged change does, all of it or nothing. What is left out stays. */
export const StateChange = z.strictObject({
  /** All slices by part id; a slice that is not named is dropped. */
  ledger: LedgersSchema.optional(),
  putDevices: z.array(DeviceSchema).optional(),
  removeDevices: z.array(z.string()).optional(),
  rememberKeys: z.record(z.string(), z.string()).optional(),
  forgetKeys: z.array(z.string()).optional(),
  /** Becomes the current one, not programmed yet, with the next number. */
  addGeneration: z.strictObject({ config: z.string(), appliedAt: z.string() }).optional(),
  /** Makes an earlier one the current one again. */
  useGeneration: z.int().optional(),
  /** Everything of this generation is in the world. */
  programmed: z.int().optional(),
});
export type StateChange = z.infer<typeof StateChange>;

export const EMPTY_STATE: State = { counter: 0, ledger: {}, devices: [], keys: {}, generations: [] };

/** The next state, or `state` itself when nothing differs. */
export function changeState(state: State, change: StateChange): State {
  const checked = StateChange.parse(change);
  const next = normalise({
    ...state,
    ledger: checked.ledger ?? state.ledger,
    devices: changeDevices(state.devices, checked),
    keys: changeKeys(state.keys, checked),
    generations: changeGenerations(state.generations, checked),
  });
  return serialise(next) === serialise(state) ? state : { ...next, counter: state.counter + 1 };
}

/** One text for one state: everything is sorted. */
export function serialise(state: State): string {
  return JSON.stringify(state);
}

/** `undefined` when the text is not a state. */
export function deserialise(value: unknown): State | undefined {
  const parsed = State.safeParse(value);
  return parsed.success ? normalise(parsed.data) : undefined;
}

function normalise({ counter, ledger, devices, keys, generations }: State): State {
  const slices = Object.entries(ledger).map(([id, slice]): [string, typeof slice] => [id, sorted(slice)]);
  return {
    counter,
    ledger: sorted(Object.fromEntries(slices)),
    devices: [...devices].sort((a, b) => (a.name < b.name ? -1 : 1)),
    keys: sorted(keys),
    generations: [...generations].sort((a, b) => a.number - b.number),
  };
}

function sorted<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function changeDevices(
  devices: State['devices'],
  { putDevices, removeDevices }: StateChange,
): State['devices'] {
  if (putDevices === undefined && removeDevices === undefined) return devices;
  const byName = new Map(devices.map((device) => [device.name, device]));
  for (const name of removeDevices ?? []) byName.delete(name);
  for (const device of putDevices ?? []) byName.set(device.name, device);
  return [...byName.values()];
}

function changeKeys(keys: State['keys'], { rememberKeys, forgetKeys }: StateChange): State['keys'] {
  const forgotten = new Set(forgetKeys);
  const kept = Object.entries(keys).filter(([name]) => !forgotten.has(name));
  return { ...Object.fromEntries(kept), ...rememberKeys };
}

function changeGenerations(generations: StoredGeneration[], change: StateChange): StoredGeneration[] {
  const { addGeneration, programmed } = change;
  const next = Math.max(0, ...generations.map(({ number }) => number)) + 1;
  const current = addGeneration === undefined ? change.useGeneration : next;
  const added =
    addGeneration === undefined ? [] : [{ ...addGeneration, number: next, programmed: false, current: true }];
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
