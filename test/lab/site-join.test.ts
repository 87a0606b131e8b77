import { existsSync } from 'node:fs';
import { copyFile, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab, type LabNode } from '../../src/lab/index.ts';
import { toolsFolder } from '../../src/lab/places.ts';
import { isUp } from '../support/owner.ts';

/** A shop's server elsewhere asks a service at home all the time, by one local port, while its tunnel dies and comes back. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home, a server elsewhere, a private Tor network',
    nodes: {
      core: { kind: 'router' },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      home: { defaultRoute: '11.2.0.1' },
      server: { defaultRoute: '11.5.0.1' },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
      access: { core: '11.5.0.1/24', server: '11.5.0.2/24' },
    },
  },
  'site-join',
);
const CONFIG = `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {}, tor: { authorization: required } } }
`;
const SHUT =
  'table inet shut { chain forward { type filter hook forward priority -5; udp dport 51820 drop; udp sport 51820 drop; }; }';

let lab: Lab;
let gateway: LabGateway;
let server: LabNode;
const signal = AbortSignal.timeout(240_000);
const at = (name: string): string => join(server.directory, name);
const said = async (): Promise<string> =>
  existsSync(at('join.log')) ? readFile(at('join.log'), 'utf8') : '';
const lastWay = async (): Promise<string> =>
  /by (\w+)$/.exec((await said()).trim().split('\n').at(-1) ?? '')?.[1] ?? '';
const nft = (input: string) => lab.node('core').run(['nft', '-f', '-'], { signal, input });

async function wgQuickUp(conf: string): Promise<void> {
  const later = existsSync(join(toolsFolder(), 'bin', 'wireguard-go-later')) ? '-later' : '';
  const choice = `WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go${later}`;
  await server.run(['env', '--unset=LOG_LEVEL', choice, 'wg-quick', 'up', conf], { signal });
}

/** Empty when it is answered with the page; else what curl says. */
const ask = async (): Promise<string> => {
  const argv = ['curl', '-sS', '--fail', '--max-time', '50', 'http://127.0.0.1:17080/'] as const;
  const options = { signal, timeoutMs: 60_000, accept: [0, 7, 22, 28, 52, 56] };
  const { stdout, stderr } = await server.run([...argv], options);
  return stdout.includes('The corner shop') ? '' : `not the page: ${stderr}`;
};

/** One visit each half second, whether or not the one before was answered, until told to stop. */
function visits() {
  const ends = new AbortController();
  const asked: Promise<string>[] = [];
  let longestMs = 0;
  const askOnce = async (): Promise<string> => {
    const begunAt = performance.now();
    const fault = await ask();
    longestMs = Math.max(longestMs, Math.round(performance.now() - begunAt));
    return fault;
  };
  const running = (async () => {
    while (!ends.signal.aborted) {
      asked.push(askOnce());
      await sleep(500);
    }
  })();
  return async () => {
    ends.abort();
    await running;
    const answers = await Promise.all(asked);
    return { all: answers.length, lost: answers.filter((fault) => fault !== ''), longestMs };
  };
}

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  server = lab.node('server');
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 80);
  const add = ['site', 'add', 'webshop', '--service', 'shop'];
  await gateway.command(signal, ...add, '--dir', server.directory, '--bundle', at('webshop.site'));
  await wgQuickUp(at('webshop.conf'));
  await copyFile(join(gateway.root, 'etc', 'torrc.d', 'lab.conf'), at('lab.torrc'));
  await server.detach(
    ['/opt/gateway/bin/gateway', 'site', 'join', at('webshop.site'), '--torrc', at('lab.torrc')],
    { logFile: at('join.log') },
  );
}, 90_000);
afterAll(() => lab?.stop());

it('gives the service a local port, by the first way in its order', async () => {
  await expect.poll(ask, { timeout: 20_000 }).toBe('');
  await expect.poll(said).toContain('shop: http://127.0.0.1:17080, by wireguard\n');
  expect((await stat(at('webshop.site'))).mode & 0o777).toBe(0o600);
}, 30_000);

it('goes on by the onion while the tunnel is dead, and comes back without losing a visit', async () => {
  await gateway.until('the onion is proved', isUp('shop', 'tor'), signal);
  const begun = visits();
  await nft(SHUT);
  await expect.poll(lastWay, { timeout: 60_000 }).toBe('tor');
  await expect.poll(ask, { timeout: 60_000 }).toBe('');
  const dying = await begun();
  // One that was being answered at that moment cannot be saved.
  expect(dying.lost.slice(1)).toEqual([]);
  const onTor = visits();
  await nft('delete table inet shut');
  await expect.poll(lastWay, { timeout: 60_000 }).toBe('wireguard');
  await sleep(1000);
  const back = await onTor();
  expect(back.all).toBeGreaterThan(3);
  expect(back.lost).toEqual([]);
  process.stdout.write(`${JSON.stringify({ dying, back })}\n`);
}, 200_000);
