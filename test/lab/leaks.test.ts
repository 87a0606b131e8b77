import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Report } from '../../src/doctor/types.ts';
import { NODE_INSIDE } from '../../src/lab/index.ts';
import { Owner } from '../support/owner.ts';
import { TorLab } from '../support/tor-lab.ts';

/**
 * Two services that hide where they are: one is a box of the LAN whose program also stands open at the home's public
 * address, and sends the lost to its address in the LAN; the other is alone in its namespace.
 */
const CONFIG = `services:
  leaky: { target: '192.168.60.2:8081', kind: http, privacy: tor-only, expose: { tor: {} } }
  quiet: { port: 80, kind: http, privacy: hide-home-address, expose: { tor: {} } }
`;
const LOCATION = 'http://192.168.60.2:8081/login';
const signal = AbortSignal.timeout(150_000);
let tor: TorLab;
let owner: Owner;

beforeAll(async () => {
  tor = await TorLab.start({ name: 'leaks', config: CONFIG, shops: { quiet: 80 }, hasLan: true, signal });
  owner = new Owner(tor.gateway, signal);
  await runLeaky('nas', 8081);
  await runLeaky('home', 8080);
  const areUp = (service: string) => tor.isUp(service);
  await owner.until('both proved', (now) => areUp('leaky')(now) && areUp('quiet')(now));
}, 120_000);
afterAll(() => tor?.lab.stop());

async function runLeaky(name: string, port: number): Promise<void> {
  const node = tor.lab.node(name);
  const argv = [NODE_INSIDE, '/opt/gateway/test/support/leaky-main.ts', String(port), LOCATION] as const;
  await node.detach([...argv], { logFile: join(node.directory, 'leaky.log') });
}

it('finds what strangers learn of the one, and nothing of the other', async () => {
  const report = await owner.json<Report>('doctor', 'leaks', '--lang', 'en');
  expect(report.findings.map(({ code, severity, title }) => `${code} ${severity}: ${title}`)).toEqual([
    'LEAK_SAME error: leaky is also found at http://11.2.0.2:8080',
    'LEAK_INSIDE warning: leaky tells its visitors addresses inside this home',
  ]);
  expect(report.findings[1]?.seen).toBe('192.168.60.2 stands in the header location of /server-status.');
  // Each was really visited, or there would be nothing to find.
  const [evidence] = report.evidence.filter(({ id }) => id === 'leaks.seen');
  expect(evidence?.raw).toMatchObject({
    services: [
      { name: 'leaky', pages: [{ status: 200 }, { status: 302 }, { status: 302 }] },
      { name: 'quiet', pages: [{ status: 200 }, { status: 404 }, { status: 404 }] },
    ],
  });
  expect(JSON.stringify(report)).not.toContain('heather honey');
}, 60_000);

it('says so by its exit code, without names for whoever helps, and asks nobody offline', async () => {
  const { exitCode, stdout } = await owner.type('doctor', 'leaks', '--lang', 'en', '--redact');
  expect(exitCode).toBe(1);
  expect(stdout).toContain('This is about what strangers can learn.');
  expect(stdout).not.toContain('leaky');
  expect(stdout).not.toContain('11.2.0.2');
  const offline = await owner.json<Report>('doctor', 'leaks', '--offline');
  expect(offline.checks).toMatchObject([{ name: 'leaks', state: 'skipped' }]);
}, 60_000);
