import { expect, it } from 'vitest';
import { NODE_INSIDE } from '../../src/lab/index.ts';
import { outputOf, withLab } from '../support/lab.ts';

const FIND = `const { findHomeNetwork } = await import('/opt/gateway/dist/src/system/mapping/home-network.js');
console.log(JSON.stringify(await findHomeNetwork() ?? null));`;

it('finds a router whose default route stands in a table of routing policy alone, as on UniFi', async () => {
  await withLab('pair', async (lab, signal) => {
    const ip = (...words: string[]) => lab.node('home').run(['ip', ...words], { signal });
    const find = (): Promise<string> =>
      outputOf(lab, 'home', [NODE_INSIDE, '--input-type=module', '-e', FIND]);
    expect(JSON.parse(await find())).toMatchObject({ router: '192.168.50.1' });
    await ip('route', 'del', 'default');
    expect(await find()).toBe('null');
    await ip('route', 'add', 'default', 'via', '192.168.50.1', 'table', '201');
    await ip('rule', 'add', 'from', 'all', 'lookup', '201', 'priority', '40000');
    expect(JSON.parse(await find())).toEqual({ router: '192.168.50.1', address: '192.168.50.10' });
  });
});
