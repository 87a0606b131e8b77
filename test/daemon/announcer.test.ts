import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { Desired } from '../../src/core/desired.ts';
import type { HomeAddress } from '../../src/core/home.ts';
import type { Service } from '../../src/core/service.ts';
import { Announcer } from '../../src/daemon/announcer.ts';
import { Announced } from '../../src/system/announced.ts';
import { certificate } from '../support/lightning/certificate.ts';
import { FakeLnd, type TlsFiles } from '../support/lightning/node.ts';

/** A node that speaks LND's REST and a real program, which both must know where the home is. */
const signal = AbortSignal.timeout(60_000);
let directory: string;
let tls: TlsFiles;
let lnd: FakeLnd;
let desired: Partial<Desired>;
let program: string;
let announcer: Announcer;
let seen: readonly HomeAddress[] = [];
let nowMs = 0;
const said: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-announce-'));
  tls = await certificate(directory, 'node', signal);
});
afterAll(() => rm(directory, { recursive: true }));

const at = (address: string): void => {
  seen = [{ family: 4, address, source: 'relay' }];
};
const listen = (port: number): Promise<number> =>
  new Promise((resolve) => {
    lnd.server.listen(port, '127.0.0.1', () => resolve((lnd.server.address() as AddressInfo).port));
  });
const stop = (): Promise<void> =>
  new Promise((resolve) => {
    lnd.server.close(() => resolve());
    lnd.server.closeAllConnections();
  });
const told = async (): Promise<unknown[]> => {
  const text = await readFile(`${program}.told`, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
};
const passing = async (milliseconds: number): Promise<void> => {
  nowMs += milliseconds;
  await announcer.settle(signal);
};

/** Another run of the daemon: only what is on the disk is known. */
function restart(): void {
  announcer = new Announcer({
    desired: () => desired as Desired,
    announced: new Announced(join(directory, 'announced.json'), () => undefined),
    ports: { now: () => nowMs, home: { addresses: () => seen, cameIn: () => undefined } },
    record: (_type, message) => void said.push(message),
  });
}

beforeEach(async () => {
  lnd = new FakeLnd(tls);
  const macaroon = join(directory, 'gateway.macaroon');
  await rm(macaroon, { force: true });
  await writeFile(macaroon, lnd.bakery.bake('7', { info: ['read'], peers: ['write'] }), { mode: 0o600 });
  await Promise.all(
    ['announced.json', 'new-address.told', 'refuse'].map((name) =>
      rm(join(directory, name), { force: true }),
    ),
  );
  program = join(directory, 'new-address');
  const refuse = join(directory, 'refuse');
  await writeFile(
    program,
    `#!/bin/sh\nif [ -e ${refuse} ]; then echo "the firewall is locked" >&2; exit 1; fi\ncat >> ${program}.told\n`,
  );
  await chmod(program, 0o755);
  const port = await listen(0);
  const service: Service = {
    name: 'lnd',
    kind: 'lnd',
    privacy: 'open',
    port,
    place: { type: 'host' },
    node: { credential: macaroon, certificate: tls.cert, announce: 9735 },
    address: '10.64.1.2',
    dial: { host: '127.0.0.1', port },
  };
  desired = { network: networkFor('gw', '10.64.0.0/20'), services: [service], programs: [program] };
  said.length = 0;
  nowMs = Date.parse('2026-06-01T00:00:00Z');
  at('11.2.0.2');
  restart();
});
afterEach(stop);

it('tells a node and a program once, the new address in place of the old, and nobody again after a restart', async () => {
  lnd.announced.add('abcdef.onion:9735');
  await announcer.settle(signal);
  await passing(1000);
  expect(lnd.broadcasts).toEqual([['abcdef.onion:9735', '11.2.0.2:9735']]);
  expect(await told()).toEqual([{ family: 4, address: '11.2.0.2', before: null }]);
  restart();
  await announcer.settle(signal);
  await passing(3_600_000);
  expect(lnd.broadcasts).toHaveLength(1);
  at('11.2.0.9');
  await passing(31_000);
  await passing(31_000);
  restart();
  await passing(1000);
  expect(lnd.broadcasts.slice(1)).toEqual([['abcdef.onion:9735', '11.2.0.9:9735']]);
  expect((await told()).slice(1)).toEqual([{ family: 4, address: '11.2.0.9', before: '11.2.0.2' }]);
  expect(said).toContain('lnd was told that the home is at 11.2.0.9:9735');
  expect(announcer.remarks()).toEqual([]);
});

it('tells nobody of an address that is not proved, and says what is missing', async () => {
  seen = [{ family: 4, address: '11.2.0.2', source: 'stun' }];
  await announcer.settle(signal);
  expect([lnd.broadcasts, await told()]).toEqual([[], []]);
  expect(announcer.remarks()).toEqual([
    expect.stringMatching(
      /^lnd and .*new-address will be told that the home is at 11\.2\.0\.2 once that is proved/,
    ),
  ]);
  seen = [...seen, { family: 4, address: '11.2.0.2', source: 'router' }];
  await passing(1000);
  expect([lnd.broadcasts.length, (await told()).length, announcer.remarks()]).toEqual([1, 1, []]);
});

it('tries again, ever more seldom, what did not work, says so, and tells the others meanwhile', async () => {
  const port = desired.services?.[0]?.port ?? 0;
  await stop();
  await announcer.settle(signal);
  expect(await told()).toHaveLength(1);
  expect(announcer.remarks()).toEqual([
    `lnd was not told that the home is at 11.2.0.2:9735: nothing listens at 127.0.0.1:${port}: the node does not run; it is tried again`,
  ]);
  // Also a node that is asked for the first time since a restart.
  restart();
  await announcer.settle(signal);
  await listen(port);
  await passing(500);
  expect(lnd.broadcasts).toEqual([]);
  await passing(600);
  expect(lnd.broadcasts).toEqual([['11.2.0.2:9735']]);
  expect(announcer.remarks()).toEqual([]);
  await writeFile(join(directory, 'refuse'), '');
  at('11.2.0.9');
  await passing(31_000);
  expect(announcer.remarks().join()).toMatch(
    /new-address was not told that the home is at 11\.2\.0\.9: it ended with 1: the firewall is locked; it is tried again/,
  );
  await rm(join(directory, 'refuse'));
  await passing(61_000);
  expect([(await told()).length, announcer.remarks()]).toEqual([2, []]);
});

it('tells a node again that has forgotten, as LND does when it is restarted', async () => {
  await announcer.settle(signal);
  lnd.announced.clear();
  await passing(5 * 60_000);
  expect(lnd.broadcasts).toHaveLength(1);
  await passing(6 * 60_000);
  expect(lnd.broadcasts).toEqual([['11.2.0.2:9735'], ['11.2.0.2:9735']]);
  expect(await told()).toHaveLength(1);
});

it('says what an LND needs that cannot be told, or does not let us', async () => {
  lnd.hasPeersRpc = false;
  await announcer.settle(signal);
  expect(announcer.remarks().join()).toMatch(/it said: Not Found; .*built with peersrpc/);
  lnd.hasPeersRpc = true;
  const credential = desired.services?.[0]?.node?.credential ?? '';
  await writeFile(credential, lnd.bakery.bake('8', { macaroon: ['generate', 'write'] }));
  await passing(61_000);
  expect(announcer.remarks().join()).toMatch(/it said: permission denied; .*info:read peers:write/);
  expect(lnd.broadcasts).toEqual([]);
});

it('does not tell a node whose owner hid the home while it was slow', async () => {
  lnd.misbehave = () => {
    desired = { ...desired, services: [] };
    return false;
  };
  await announcer.settle(signal);
  expect(lnd.broadcasts).toEqual([]);
});

it('takes back what a node announced as soon as its owner hides the home, whatever is known of it then', async () => {
  await announcer.settle(signal);
  const [service] = desired.services ?? [];
  if (service?.node === undefined) throw new Error('there is no node');
  const { announce: _port, ...node } = service.node;
  desired = { ...desired, services: [{ ...service, node }] };
  seen = [];
  await stop();
  await passing(1000);
  expect(announcer.remarks()).toEqual([
    expect.stringMatching(/^lnd still announces 11\.2\.0\.2:9735: nothing listens .*it is tried again$/),
  ]);
  await listen(service.port);
  restart();
  await announcer.settle(signal);
  expect(lnd.broadcasts).toEqual([['11.2.0.2:9735'], []]);
  expect(said.at(-1)).toBe('lnd was told to announce 11.2.0.2:9735 no more');
  await passing(3_600_000);
  expect([lnd.broadcasts.length, announcer.remarks()]).toEqual([2, []]);
  desired = { ...desired, services: [service] };
  at('11.2.0.2');
  await passing(1000);
  expect(lnd.broadcasts.at(-1)).toEqual(['11.2.0.2:9735']);
});

it('does not follow a line that flaps', async () => {
  for (let second = 0; second < 60; second += 1) {
    at(second % 2 === 0 ? '11.2.0.2' : '11.2.0.9');
    await passing(1000);
  }
  expect(lnd.broadcasts.length).toBeLessThanOrEqual(2);
  expect((await told()).length).toBeLessThanOrEqual(2);
});

it('tells everybody again when what it remembers is damaged', async () => {
  await announcer.settle(signal);
  await writeFile(join(directory, 'announced.json'), '{"told":{"ln');
  restart();
  await announcer.settle(signal);
  expect([lnd.broadcasts.length, (await told()).length]).toEqual([1, 2]);
});
