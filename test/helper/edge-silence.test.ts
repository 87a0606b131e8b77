import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { until } from '../support/machine.ts';
import { selfSigned, SHOP, startWebLabWith, type WebLab } from '../support/web-lab.ts';

/**
 * Who may be silent for how long: the real HAProxy with the times of its real configuration, divided by a hundred. So five
 * minutes are three seconds here, and seven and a half are 4.5.
 */
const FASTER = 100;
const SILENT_MS = (7.5 * 60_000) / FASTER;
const NAME = SHOP.domain;
const paths = pathsOf(directoriesIn('/run/gw-root'));
let lab: WebLab;

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

function faster(config: string): string {
  return config.replaceAll(
    /^( +timeout \S+) (\d+)([smh])$/gm,
    (_, what: string, count: string, unit: string) =>
      `${what} ${Math.round((Number(count) * (UNITS[unit] ?? 0)) / FASTER)}ms`,
  );
}

beforeAll(async () => {
  lab = await startWebLabWith(SHOP);
  await lab.up([SHOP]);
  await lab.give(NAME, (await selfSigned([NAME])).pem);
  const file = lab.machine.outside(`${paths.edgeState}/haproxy.cfg`);
  const config = await readFile(file, 'utf8');
  expect(faster(config)).toMatch(/timeout server 36000ms[^]*timeout tunnel 864000ms/);
  await writeFile(file, faster(config));
  const pids = (): Promise<string> => lab.machine.sh('pgrep', '-x', 'haproxy');
  const before = await pids();
  const master = await readFile(lab.machine.outside(paths.edgePid), 'utf8');
  await lab.machine.sh('kill', '-USR2', master.trim());
  await until(async () => {
    const now = await pids();
    return now.split('\n').length === before.split('\n').length && now !== before ? true : undefined;
  });
});
afterAll(async () => {
  await lab.stop();
});

const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, `Host: ${NAME}`, ...headers, '', ''].join('\r\n');
const quietMs = SILENT_MS + 3000;

it('lets a page be silent for minutes before it answers, by HTTP/1.1 and by HTTP/2, and a WebSocket longer', async () => {
  const path = `/wait/${SILENT_MS}`;
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  const [first, second, after, socket] = await lab.visitAll([
    { sni: NAME, send: [request(`GET ${path}`, 'Connection: close')], quietMs },
    { sni: NAME, alpn: ['h2'], http2: { ':path': path }, quietMs },
    { sni: NAME, send: [request('POST /wait', 'Content-Length: 3'), 'abc'], quietMs: 500 },
    { sni: NAME, send: [request('GET /live', ...upgrade), 'late'], pauseMs: SILENT_MS, quietMs: 0 },
  ]);
  expect(first?.answer).toMatch(/^HTTP\/1\.1 200 [^]*shop \+ 0 bytes/);
  expect(second).toMatchObject({ headers: { ':status': 200 } });
  expect(after?.answer).toMatch(/^HTTP\/1\.1 200 [^]*shop \+ 3 bytes/);
  expect(socket?.answer).toMatch(/^HTTP\/1\.1 101 [^]*\r\n\r\nlate$/);
});

it('waits less long for the head of a request', async () => {
  const send = ['GET / HTTP/1.1\r\n', 'X-Slow: 1\r\n'];
  const visited = await lab.visit({ sni: NAME, send, pauseMs: 100 });
  expect(visited).toMatchObject({ answer: expect.stringMatching(/^HTTP\/1\.1 408 /), isClosed: true });
});
