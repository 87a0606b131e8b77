import { beforeEach, expect, it } from 'vitest';
import { NOTHING_UPLOADED } from '../../src/core/descriptor.ts';
import { TorUploads } from '../../src/system/tor-uploads.ts';
import { parseDescriptorEvent } from '../../src/wire/torcontrol.ts';

/** Lines as tor 0.4.9.11 sends them. */
const ADDRESS = '2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid';
let nowMs: number;
let uploads: TorUploads;

beforeEach(() => {
  nowMs = 1_000_000;
  uploads = new TorUploads(() => nowMs);
});

function hear(...lines: readonly string[]): void {
  for (const line of lines) {
    const event = parseDescriptorEvent(`HS_DESC ${line.replace('@', `${ADDRESS} UNKNOWN`)}`);
    if (event !== undefined) uploads.take(event);
  }
}
const now = () => uploads.of(ADDRESS);
const begin = (descriptor: string, ...directories: string[]): void =>
  hear(...directories.map((directory) => `UPLOAD @ $${directory}~r ${descriptor} HSDIR_INDEX=00`));
const confirm = (...directories: string[]): void =>
  hear(...directories.map((directory) => `UPLOADED @ $${directory}~r`));

it('knows nothing before it heard anything', () => {
  expect(now()).toEqual(NOTHING_UPLOADED);
});

it('waits until each directory has confirmed each descriptor', () => {
  begin('one', 'A', 'B');
  begin('two', 'A', 'B');
  confirm('A', 'B');
  expect(now()).toMatchObject({ directories: 4, confirmed: 2, isFindable: false });
  nowMs += 5000;
  confirm('A');
  expect(now()).toMatchObject({ confirmed: 3, isFindable: true, waitingMs: 5000, wasComplete: false });
  confirm('B');
  expect(now()).toMatchObject({ confirmed: 4, waitingMs: 0, wasComplete: true });
});

it('begins anew with each upload, and keeps no directory that is not asked any more', () => {
  begin('one', 'A', 'B');
  confirm('A');
  nowMs += 1000;
  begin('one', 'A', 'B');
  expect(now()).toMatchObject({ directories: 2, confirmed: 0 });
  nowMs += 3_600_000;
  begin('one', 'C', 'D');
  confirm('C', 'D');
  expect(now()).toMatchObject({ directories: 2, confirmed: 2, waitingMs: 0 });
});

it('forgets the descriptor of a period that is over', () => {
  for (const descriptor of ['one', 'two', 'three']) begin(descriptor, 'A');
  expect(now().directories).toBe(2);
});

it('remembers what a directory said that refused it, and does not take a fetch that failed for that', () => {
  begin('one', 'A');
  hear(`FAILED @ $A~r one REASON=NOT_FOUND`);
  expect(now().refusal).toBeUndefined();
  hear('FAILED @ $A~r REASON=UPLOAD_REJECTED');
  expect(now()).toMatchObject({ refusal: 'UPLOAD_REJECTED', confirmed: 0 });
});

it('does not count what was confirmed before a change, until tor begins again', () => {
  begin('one', 'A');
  confirm('A');
  uploads.visited(ADDRESS);
  uploads.expect(ADDRESS, 'changed');
  expect(now()).toMatchObject({ confirmed: 0, isExpected: true, wasVisited: false, wasComplete: false });
  begin('one', 'A');
  expect(now()).toMatchObject({ isExpected: false });
});

it('says when it will be late, and no more once it is', () => {
  expect(uploads.lateInMs()).toBeUndefined();
  begin('one', 'A');
  nowMs += 15_000;
  expect(uploads.lateInMs()).toBe(5000);
  nowMs += 6000;
  expect(uploads.lateInMs()).toBeUndefined();
});

it('counts how often it was repeated, and from then on how long it waits', () => {
  begin('one', 'A');
  nowMs += 20_000;
  uploads.expect(ADDRESS, 'postponed');
  nowMs += 1000;
  expect(now()).toMatchObject({ repeats: 1, waitingMs: 1000, isExpected: false });
  uploads.expect(ADDRESS, 'repeated');
  begin('one', 'A');
  expect(now()).toMatchObject({ repeats: 2, isExpected: false });
  confirm('A');
  expect(now()).toMatchObject({ repeats: 0 });
});
