import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { MetricsPort } from '../../src/daemon/metrics-port.ts';

let port: MetricsPort | undefined;
afterEach(() => port?.close());

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return free;
}

function ask(at: number, headers: Record<string, string> = {}, path = '/metrics'): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: at, path, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    asked.on('error', reject).end();
  });
}

it('answers there, and to no web page, and moves with the config', async () => {
  const at = await freePort();
  let wanted: string | undefined = `127.0.0.1:${at}`;
  port = new MetricsPort({
    wanted: () => wanted,
    measure: () => Promise.resolve('gateway_down 0\n'),
    log: () => undefined,
  });
  await port.settle();
  await port.settle();
  expect(await ask(at)).toBe('200 gateway_down 0\n');
  expect(await ask(at, {}, '/v1/status')).toBe('404 ');
  expect(await ask(at, { host: 'evil.example.com' })).toBe('403 ');
  expect(await ask(at, { origin: 'https://evil.example.com' })).toBe('403 ');
  wanted = undefined;
  await port.settle();
  await expect(ask(at)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

it('says when it cannot listen, and tries again', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const at = (other.address() as AddressInfo).port;
  port = new MetricsPort({
    wanted: () => `127.0.0.1:${at}`,
    measure: () => Promise.resolve(''),
    log: () => undefined,
  });
  await port.settle();
  expect(port.remarks()).toEqual([expect.stringContaining(`metrics cannot be read at 127.0.0.1:${at}`)]);
  await new Promise((resolve) => other.close(resolve));
  await port.settle();
  expect(port.remarks()).toEqual([]);
});
