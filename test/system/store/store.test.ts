import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Device } from '../../../src/core/service.ts';
import {
  EMPTY_STATE,
  changeState,
  serialise,
  type State,
  type StateChange,
} from '../../../src/core/state.ts';
import type { Store } from '../../../src/engine/store.ts';
import { openStore } from '../../../src/system/store/index.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gateway-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string): string => join(directory, name);
const open = (): Store =>
  openStore({ database: file('state.db'), snapshot: file('snapshot.json'), now: () => 0 });
const device = (name: string): Device => ({
  name,
  services: ['shop'],
  publicKey: 'k',
  addedAt: '2026-01-01T00:00:00Z',
});
const contents = (store: Store): unknown => [
  store.ledger(),
  store.devices(),
  store.generations(),
  store.fingerprint('tor/a'),
];

async function filled(): Promise<unknown> {
  const store = open();
  await store.commit({
    ledger: { services: { 'service/shop': '10.64.1.2' } },
    addGeneration: { config: 'a: 1\n', appliedAt: 't' },
  });
  store.remember('tor/a', 'f00');
  await store.commit({ putDevices: [device('alice'), device('bob')] });
  await store.commit({ programmed: 1, removeDevices: ['bob'] });
  await store.append({ at: 't', type: 'device.added', message: 'alice', data: {} });
  const before = contents(store);
  store.close();
  return before;
}

describe('what was acknowledged', () => {
  it('is there after closing and opening', async () => {
    const before = await filled();
    const store = open();
    expect(contents(store)).toEqual(before);
    expect(store.device('alice')).toEqual(device('alice'));
    expect(store.generationConfig()).toBe('a: 1\n');
    expect(store.recovered).toEqual([]);
    expect(await store.events(0, 10)).toMatchObject([{ seq: 1, message: 'alice' }]);
    store.close();
  });

  it('is for the eyes of its owner only', async () => {
    await filled();
    for (const name of readdirSync(directory))
      expect([name, statSync(file(name)).mode & 0o777]).toEqual([name, 0o600]);
  });

  it('holds generations: one is current, an earlier one can be taken again, old ones go', async () => {
    const store = open();
    for (let n = 1; n <= 60; n += 1)
      await store.commit({ addGeneration: { config: `${n}`, appliedAt: 't' } });
    expect(store.generations()).toHaveLength(50);
    await store.commit({ programmed: 60 });
    await store.commit({ useGeneration: 20 });
    expect(store.generations().filter(({ current }) => current)).toMatchObject([{ number: 20 }]);
    await expect(store.commit({ useGeneration: 5 })).rejects.toMatchObject({ code: 'GenerationUnknown' });
    expect(store.generationConfig()).toBe('20');
    store.close();
  });

  it('is not written again when nothing differs', async () => {
    await filled();
    const store = open();
    const before = statSync(file('snapshot.json')).ino;
    await store.commit({ putDevices: [device('alice')], programmed: 1 });
    expect(statSync(file('snapshot.json')).ino).toBe(before);
    store.close();
  });

  it('a field that could not be read again is refused when it is written', async () => {
    const store = open();
    const strange = { ...device('x'), unknown: 1 };
    await expect(store.commit({ putDevices: [strange] })).rejects.toThrow('unknown');
    store.close();
  });
});

describe('damage', () => {
  it('of the snapshot, cut off at every byte: the database is taken, and it is said', async () => {
    const before = await filled();
    const whole = readFileSync(file('snapshot.json'));
    for (let length = 0; length < whole.length; length += 1) {
      writeFileSync(file('snapshot.json'), whole.subarray(0, length));
      const store = open();
      expect(contents(store)).toEqual(before);
      expect(store.recovered.join()).toContain('snapshot.json was damaged');
      store.close();
      expect(readFileSync(file('snapshot.json'))).toEqual(whole);
    }
  });

  it('of one bit of the snapshot is seen, whichever it is', async () => {
    const before = await filled();
    const whole = readFileSync(file('snapshot.json'));
    for (let bit = 0; bit < whole.length * 8; bit += 37) {
      const changed = Buffer.from(whole);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(file('snapshot.json'), changed);
      const store = open();
      expect(contents(store)).toEqual(before);
      expect(store.recovered).toHaveLength(1);
      store.close();
    }
  });

  it('of bits of the database: the snapshot is taken, and the file put aside', async () => {
    const before = await filled();
    const whole = readFileSync(file('state.db'));
    let seen = 0;
    for (let at = 0; at < whole.length; at += 61) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(file('state.db'), changed);
      const store = open();
      expect(contents(store)).toEqual(before);
      if (store.recovered.length > 0) seen += 1;
      await store.commit({ putDevices: [device('alice')] });
      store.close();
    }
    expect(seen).toBeGreaterThan(10);
    expect(readdirSync(directory).filter((name) => name.startsWith('state.db.damaged-')).length).toBe(seen);
  });

  it.each([0, 1, 100, 4095, 4096, 5000, 8192])('of the database, cut off after %i bytes', async (length) => {
    const before = await filled();
    writeFileSync(file('state.db'), readFileSync(file('state.db')).subarray(0, length));
    const store = open();
    expect(contents(store)).toEqual(before);
    expect(store.recovered).toHaveLength(1);
    store.close();
    const again = open();
    expect(again.recovered).toEqual([]);
    again.close();
  });

  it('of a value that SQLite itself cannot see', async () => {
    const before = await filled();
    const raw = new DatabaseSync(file('state.db'));
    raw.exec(`UPDATE item SET value = '"10.64.9.9"' WHERE key = 'service/shop'`);
    raw.close();
    const store = open();
    expect(contents(store)).toEqual(before);
    expect(store.recovered[0]).toContain('does not agree with snapshot.json');
    store.close();
  });

  it('of both is refused, and nothing is changed or invented', async () => {
    await filled();
    writeFileSync(file('state.db'), 'x'.repeat(5000));
    writeFileSync(file('snapshot.json'), '{');
    expect(open).toThrow(/damaged twice: snapshot.json .* and state.db .*nothing was changed/);
    rmSync(file('snapshot.json'));
    rmSync(file('state.db'));
    expect(open).toThrow(expect.objectContaining({ code: 'StateCorrupt' }));
  });

  it('a lost file is made again from the other', async () => {
    const before = await filled();
    for (const name of ['state.db', 'snapshot.json']) {
      rmSync(file(name));
      const store = open();
      expect(contents(store)).toEqual(before);
      expect(store.recovered.join()).toContain(`${name} was missing`);
      store.close();
    }
  });
});

it('a crash between snapshot and database: the change came true, and nothing is said', async () => {
  await filled();
  const older = readFileSync(file('state.db'));
  const store = open();
  await store.commit({ putDevices: [device('carol')], removeDevices: ['alice'] });
  store.close();
  writeFileSync(file('state.db'), older);
  const again = open();
  expect(again.recovered).toEqual([]);
  expect(again.devices()).toEqual([device('carol')]);
  again.close();
  const third = open();
  expect([third.recovered, third.devices()]).toEqual([[], [device('carol')]]);
  third.close();
});

it('a database that is several changes behind is an old copy: it is put aside, and said', async () => {
  await filled();
  const older = readFileSync(file('state.db'));
  const store = open();
  await store.commit({ removeDevices: ['alice'] });
  await store.commit({ putDevices: [device('carol')] });
  store.close();
  writeFileSync(file('state.db'), older);
  const again = open();
  expect(again.recovered[0]).toContain('does not agree with snapshot.json');
  expect(again.devices()).toEqual([device('carol')]);
  again.close();
});

it('an old snapshot does not bring back what was revoked', async () => {
  await filled();
  const store = open();
  await store.commit({ removeDevices: ['alice'] });
  store.close();
  writeFileSync(file('state.db'), 'damaged');
  writeFileSync(file('snapshot.json'), 'damaged');
  expect(open).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('snapshot.prev.json') as string }),
  );
});

it('a database that another process holds is not written, and neither is the snapshot', async () => {
  const before = await filled();
  const store = open();
  const other = new DatabaseSync(file('state.db'));
  other.exec('BEGIN IMMEDIATE');
  expect(() => store.remember('tor/b', 'x')).toThrow(expect.objectContaining({ code: 'AlreadyRunning' }));
  other.exec('ROLLBACK');
  other.close();
  expect(contents(store)).toEqual(before);
  store.close();
  const again = open();
  expect([again.recovered, contents(again)]).toEqual([[], before]);
  again.close();
});

it('a commit that fails: the snapshot is set back, and the change does not come true at the next start', async () => {
  const before = await filled();
  const raw = new DatabaseSync(file('state.db'));
  // A broken reference that is looked at only when the transaction ends.
  raw.exec(`
    CREATE TABLE parent (id TEXT PRIMARY KEY);
    CREATE TABLE child (id TEXT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER fail AFTER INSERT ON item BEGIN INSERT INTO child VALUES ('x'); END;
  `);
  raw.close();
  const store = open();
  await expect(store.commit({ removeDevices: ['alice'] })).rejects.toThrow(/FOREIGN KEY/);
  expect(contents(store)).toEqual(before);
  store.close();
  const again = open();
  expect([again.recovered, contents(again)]).toEqual([[], before]);
  again.close();
});

it('state of the form before is opened as it is, and gets the new form with the next change', async () => {
  const before = await filled();
  const version = (): unknown => {
    const raw = new DatabaseSync(file('state.db'));
    const found = raw.prepare('PRAGMA user_version').get()?.['user_version'];
    raw.close();
    return found;
  };
  const raw = new DatabaseSync(file('state.db'));
  raw.exec('PRAGMA user_version = 1');
  raw.close();
  const covered = readFileSync(file('snapshot.json'), 'utf8')
    .replace(/^\{"sha256":"[0-9a-f]+",/, '')
    .replace('"schema":2', '"schema":1');
  expect(covered).toContain('"devices":[{"name":"alice","services":["shop"],"publicKey":"k","addedAt"');
  const sha256 = createHash('sha256').update(covered).digest('hex');
  writeFileSync(file('snapshot.json'), `{"sha256":"${sha256}",${covered}`);
  const store = open();
  expect([store.recovered, contents(store), version()]).toEqual([[], before, 1]);
  const keyed: Device = {
    name: 'zoe',
    services: ['lnd'],
    onionKey: 'A'.repeat(52),
    addedAt: 't',
    expiresAt: 'u',
  };
  await store.commit({ putDevices: [keyed] });
  store.close();
  const again = open();
  expect([again.recovered, again.device('zoe'), version()]).toEqual([[], keyed, 2]);
  again.close();
});

it('state of a later version is refused and left alone', async () => {
  await filled();
  const raw = new DatabaseSync(file('state.db'));
  raw.exec('PRAGMA user_version = 3');
  raw.close();
  rmSync(file('snapshot.json'));
  const before = readFileSync(file('state.db'));
  expect(open).toThrow(/state.db was written by a later version of gateway/);
  expect(readFileSync(file('state.db'))).toEqual(before);
});

it('two open at once: the one that was overtaken is refused', async () => {
  await filled();
  const [first, second] = [open(), open()];
  await first.commit({ putDevices: [device('carol')] });
  await expect(second.commit({ putDevices: [device('dave')] })).rejects.toMatchObject({
    code: 'AlreadyRunning',
  });
  first.close();
  second.close();
  const again = open();
  expect(again.recovered).toEqual([]);
  expect(again.devices().map(({ name }) => name)).toEqual(['alice', 'carol']);
  again.close();
});

it('the journal keeps the last 10,000 and never reuses a number', async () => {
  const store = open();
  for (let n = 1; n <= 10_020; n += 1)
    await store.append({ at: 't', type: 'change.applied', message: `${n}`, data: {} });
  expect(await store.events(0, 2)).toMatchObject([{ seq: 21 }, { seq: 22 }]);
  expect(await store.latestEvents(2)).toMatchObject([{ seq: 10_019 }, { seq: 10_020 }]);
  store.close();
});

it('any changes, read back, are what memory says', async () => {
  const name = fc.constantFrom('a', 'b', 'c', '10', '2');
  const change: fc.Arbitrary<StateChange> = fc.record(
    {
      ledger: fc.dictionary(name, fc.dictionary(name, fc.oneof(fc.integer(), fc.string()))),
      putDevices: fc.array(name.map(device), { maxLength: 2 }),
      removeDevices: fc.array(name, { maxLength: 2 }),
      rememberKeys: fc.dictionary(name, fc.string()),
      forgetKeys: fc.array(name, { maxLength: 2 }),
      addGeneration: fc.record({ config: fc.string(), appliedAt: fc.constant('t') }),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 6 }), async (changes) => {
      rmSync(directory, { recursive: true });
      directory = mkdtempSync(join(tmpdir(), 'gateway-store-'));
      let state: State = EMPTY_STATE;
      const store = open();
      for (const one of changes) {
        await store.commit(one);
        state = changeState(state, one);
      }
      store.close();
      expect(readFileSync(file('snapshot.json'), 'utf8')).toContain(serialise(state));
      const again = open();
      expect([again.recovered, again.devices(), again.ledger()]).toEqual([[], state.devices, state.ledger]);
      again.close();
    }),
    { numRuns: 40 },
  );
});
