import { expect, it } from 'vitest';
import { Far, parseFarPlace } from '../../src/cli/install/far.ts';

it.each([
  ['ssh://root@vps.example.net', { user: 'root', host: 'vps.example.net', port: 22 }],
  ['ssh://root@11.1.0.2:2222', { user: 'root', host: '11.1.0.2', port: 2222 }],
  ['ssh://deb@[2b00:1::2]:22', { user: 'deb', host: '2b00:1::2', port: 22 }],
])('reads %s', (text, place) => {
  expect(parseFarPlace(text)).toEqual(place);
});

it.each([
  'root@vps.example.net',
  'ssh://vps.example.net',
  'ssh://root@',
  'ssh://-oProxyCommand=x@vps',
  'ssh://root@-oProxyCommand=touch',
  'ssh://root@vps;reboot',
  'ssh://root@vps:0',
  'ssh://root@vps:70000',
  'ssh://root@vps/etc',
  'ssh://root:secret@vps',
])('takes %s for no place', (text) => {
  expect(parseFarPlace(text)).toBeUndefined();
});

it('sends no word in which a shell would find something to do', async () => {
  const far = new Far({ user: 'root', host: 'vps', port: 22 }, '/nowhere', AbortSignal.timeout(5000));
  for (const word of ['$(reboot)', 'a b', ';', '', "'", '\n', '`id`', '*', '>x', '~']) {
    await expect(far.run(['uname', word])).rejects.toThrow('not a plain word');
  }
});
