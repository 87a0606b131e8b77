import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serveOnSocket } from '../../src/daemon/listen.ts';

let directory = '';
let path = '';
const open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-listen-'));
  path = join(directory, 'api.sock');
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  await rm(directory, { recursive: true });
});

async function serve(answer: () => Response | Promise<Response> = () => new Response('here')) {
  const server = await serveOnSocket({ fetch: answer }, path, { mode: 0o660, drainMs: 50 });
  open.push(server);
  return server;
}

function get(): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: path, path: '/' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}

test('only user and group may connect', async () => {
  await serve();
  expect((await stat(path)).mode & 0o777).toBe(0o660);
  expect(await get()).toBe('here');
});

test('a socket file that a crash left behind is replaced', async () => {
  await writeFile(path, '');
  await serve();
  expect(await get()).toBe('here');
});

test('a gateway that answers is left alone', async () => {
  await serve();
  await expect(serve(() => new Response('usurper'))).rejects.toMatchObject({ code: 'AlreadyRunning' });
  expect(await get()).toBe('here');
});

test('a path that is too long for a socket says so, before the kernel says EINVAL', async () => {
  path = join(directory, 'x'.repeat(120));
  await expect(serve()).rejects.toMatchObject({
    code: 'NotSupported',
    hint: expect.stringContaining('--root') as string,
  });
});

test('closing waits for no one for long, and takes the socket file with it', async () => {
  const server = await serve(() => new Promise<Response>(() => undefined));
  const call = get();
  const refused = expect(call).rejects.toThrow(/socket hang up|ECONNRESET/);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await server.close();
  await refused;
  await expect(stat(path)).rejects.toThrow('ENOENT');
});
