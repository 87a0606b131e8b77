import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { madeUsers, noteUsers } from '../../src/cli/install/users.ts';

let folder = '';
let note = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gw-users-'));
  note = join(folder, 'made-users');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('users that an earlier installation made are still ours after an uninstallation that kept them', async () => {
  await noteUsers(await madeUsers(['gateway-tor', 'gateway'], note), note);
  expect((await madeUsers([], note)).sort()).toEqual(['gateway', 'gateway-tor']);
  await noteUsers(await madeUsers(['gateway-edge'], note), note);
  expect((await madeUsers([], note)).sort()).toEqual(['gateway', 'gateway-edge', 'gateway-tor']);
});

test('a note that somebody else wrote removes no user but ours', async () => {
  writeFileSync(note, 'root\ngateway\n../x\n--remove-home alice\n');
  expect(await madeUsers([], note)).toEqual(['gateway']);
});
