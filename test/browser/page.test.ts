import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DOMAIN, PageLab } from '../support/page-lab.ts';

/** Chromium at a visitor's, as it comes, told of one more authority; the picture that it draws is kept for a look. */
const signal = AbortSignal.timeout(170_000);
const TOOLS = '/opt/gateway-tools/browser/bin';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--window-size=900,600',
];
let scene: PageLab;
let home: string;

beforeAll(async () => {
  scene = await PageLab.start(signal);
  home = join(scene.lab.node('visitor').directory, 'browser');
  await mkdir(join(home, '.pki', 'nssdb'), { recursive: true });
  await certutil('-N', '--empty-password');
}, 90_000);
afterAll(() => scene?.lab.stop());

function certutil(...words: string[]): Promise<unknown> {
  return scene.on('visitor', `${TOOLS}/certutil`, '-d', `sql:${join(home, '.pki', 'nssdb')}`, ...words);
}

/** The page as it stands after its scripts, if any, have run. */
async function browse(...more: string[]): Promise<string> {
  const argv = [
    'env',
    `HOME=${home}`,
    `${TOOLS}/chromium`,
    ...FLAGS,
    `--user-data-dir=${home}/profile`,
  ] as const;
  const { stdout } = await scene.on('visitor', ...argv, ...more, `https://${DOMAIN}/`);
  return stdout;
}

it('shows the shop as a trusted page, with no other step than gateway expose', async () => {
  expect((await scene.expose()).exitCode).toBe(0);
  // Whoever does not know the authority is warned: the browser does look.
  await expect(browse('--dump-dom')).rejects.toThrow('handshake failed');
  await certutil('-A', '-t', 'C,,', '-n', 'the authority of the lab', '-i', scene.root);
  expect(await browse('--dump-dom')).toContain('The corner shop');
  const picture = process.env['GATEWAY_SCREENSHOT'] ?? join(home, 'page.png');
  await browse(`--screenshot=${picture}`);
  expect((await readFile(picture)).subarray(1, 4).toString()).toBe('PNG');
}, 90_000);
