import { expect, it } from 'vitest';
import { lookUpGroup, lookUpUser } from '../../src/system/users.ts';

it('finds root on every machine', async () => {
  expect(await lookUpUser('root')).toEqual({ name: 'root', uid: 0, gid: 0 });
  expect(await lookUpGroup('root')).toBe(0);
});

it('says which account is missing and how to make it', async () => {
  await expect(lookUpUser('nobody-has-this')).rejects.toMatchObject({
    code: 'UserMissing',
    message: expect.stringContaining('nobody-has-this') as string,
    hint: expect.stringContaining('useradd') as string,
  });
});
