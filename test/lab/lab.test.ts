import { afterAll, beforeAll, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NODE_INSIDE, startLab, type Lab } from '../../src/lab/index.ts';
import { outputOf } from '../support/lab.ts';

let lab: Lab;
const signal = AbortSignal.timeout(60_000);

beforeAll(async () => {
  lab = await startLab('pair', { signal });
});
afterAll(() => lab.stop());

it('lets a home behind a router reach out, and nobody reach in', async () => {
  expect(await outputOf(lab, 'home', ['ping', '-c1', '-W2', '11.2.0.1'])).toContain('1 received');
  const inward = await lab
    .node('outside')
    .run(['ping', '-c1', '-W1', '192.168.50.10'], { signal, accept: [1, 2] });
  expect(inward.exitCode).not.toBe(0);
});

it('leads the forwarded port to the home, which sees the true source', async () => {
  const log = join(lab.node('home').directory, 'datagram.log');
  const listen = `require('node:dgram').createSocket('udp4').on('message', (text, from) => {
    console.log(String(text), 'from', from.address);
  }).bind(51820, () => console.log('listening'));`;
  await lab.node('home').detach([NODE_INSIDE, '-e', listen], { logFile: log });
  await expect.poll(() => readFile(log, 'utf8')).toContain('listening');
  const send = `const s = require('node:dgram').createSocket('udp4'); s.send('hello', 51820, '11.2.0.2', () => s.close());`;
  await outputOf(lab, 'outside', [NODE_INSIDE, '-e', send]);
  await expect.poll(() => readFile(log, 'utf8')).toContain('hello from 11.2.0.1');
});

it('gives each node its own name, name server, users and run folder', async () => {
  expect(await outputOf(lab, 'home', ['hostname'])).toBe('home');
  expect(await outputOf(lab, 'home', ['cat', '/etc/resolv.conf'])).toBe('');
  expect(await outputOf(lab, 'home', ['id', '-Gn', 'gateway'])).toBe('gateway gateway-tor');
  await outputOf(lab, 'home', ['touch', '/run/mine', '/etc/gateway-was-here']);
  expect(await outputOf(lab, 'router', ['ls', '/run', '/etc'])).not.toMatch(/mine|was-here/);
});

it('cannot change the machine', async () => {
  for (const file of ['/x', '/usr/x', '/etc/alternatives/x', '/sys/x', '/opt/gateway/x']) {
    const touched = await lab.node('home').run(['touch', file], { signal, accept: [0, 1] });
    expect(touched.exitCode, file).toBe(1);
  }
});

it('keeps a namespace that is made inside a node for whoever enters later', async () => {
  await outputOf(lab, 'home', ['ip', 'netns', 'add', 'shop']);
  expect(await outputOf(lab, 'home', ['nsenter', '--net=/run/netns/shop', 'ip', '-br', 'link'])).toContain(
    'lo',
  );
  expect(await outputOf(lab, 'router', ['ip', 'netns'])).toBe('');
});

it('passes an exit code on, and ends a program whose caller gave up', async () => {
  expect((await lab.node('home').run(['sh', '-c', 'exit 7'], { signal, accept: [7] })).exitCode).toBe(7);
  await expect(lab.node('home').run(['sleep', '4242'], { signal, timeoutMs: 300 })).rejects.toThrow(/300 ms/);
  await expect.poll(() => outputOf(lab, 'home', ['ps', '-eo', 'args'])).not.toContain('sleep 4242');
});

it('collects orphans', async () => {
  await outputOf(lab, 'home', ['sh', '-c', 'sh -c "sleep 0.1 & exit" & wait']);
  await sleep(300);
  // Parent 0: started from outside the node, so for the machine's own process 1 to collect.
  expect(await outputOf(lab, 'home', ['ps', '-eo', 'stat,ppid,args'])).not.toMatch(/^Z\S*\s+[1-9]/m);
});

it('says which nodes there are when asked for another', () => {
  expect(() => lab.node('garage')).toThrow(/no node named garage/);
});

it('cuts and restores the power of a node: same files, same addresses, fresh processes', async () => {
  const home = lab.node('home');
  await outputOf(lab, 'home', [
    'sh',
    '-c',
    'mkdir -p /etc/gateway /var/lib/gateway; echo kept >/var/lib/gateway/file',
  ]);
  const before = home.pid;
  await home.cut();
  expect(home.hasPower).toBe(false);
  await expect(async () => home.run(['true'], { signal })).rejects.toThrow(/has no power/);
  expect(await outputOf(lab, 'router', ['ping', '-c1', '-W1', '192.168.50.10']).catch(String)).toContain(
    '100% packet loss',
  );
  await lab.boot('home', signal);
  expect(home.pid).not.toBe(before);
  expect(await outputOf(lab, 'home', ['cat', '/var/lib/gateway/file'])).toBe('kept');
  expect(await outputOf(lab, 'home', ['ping', '-c1', '-W2', '11.2.0.1'])).toContain('1 received');
  expect(await outputOf(lab, 'home', ['ip', 'netns'])).toBe('');
});
