import { createServer } from 'node:net';
import { z } from 'zod';
import { errnoOf, GatewayError } from '../core/errors.ts';
import type { SiteBundle } from '../core/site-bundle.ts';
import { readFileIfExists, writeFileAtomic } from '../system/files.ts';

/** Local ports of a site's services, chosen once: what asks at them is configured by hand. */

const Port = z.int().min(1024).max(65535);
const Chosen = z.strictObject({ socks: Port, services: z.record(z.string(), Port) });
type Chosen = z.infer<typeof Chosen>;

/** Of nobody that is known, and below those that the kernel hands out by itself. */
const FIRST_PORT = 17080;
const SOCKS = 'tor';

/** Those in the file, and fresh ones for services that have none yet. Rejects with `PortInUse` when one was taken meanwhile. */
export async function choosePorts(
  file: string,
  { services }: SiteBundle,
  signal: AbortSignal,
): Promise<Chosen> {
  const before = await readChosen(file);
  const known = new Map(Object.entries(before?.services ?? {}));
  if (before !== undefined) known.set(SOCKS_KEY, before.socks);
  for (const key of [...services.map(({ name }) => name), SOCKS_KEY]) {
    signal.throwIfAborted();
    const port = known.get(key);
    if (port === undefined) known.set(key, await firstFree(new Set(known.values())));
    else if (!(await isFree(port))) throw taken(key === SOCKS_KEY ? SOCKS : key, port, file);
  }
  const socks = known.get(SOCKS_KEY) ?? 0;
  known.delete(SOCKS_KEY);
  const chosen = { socks, services: Object.fromEntries(known) };
  await writeFileAtomic(file, `${JSON.stringify(chosen)}\n`, { mode: 0o600 });
  return chosen;
}

/** No name of a service. */
const SOCKS_KEY = '';

async function readChosen(file: string): Promise<Chosen | undefined> {
  const text = await readFileIfExists(file);
  if (text === undefined) return undefined;
  try {
    return Chosen.parse(JSON.parse(text.toString()));
  } catch (error) {
    throw new GatewayError(`${file}, which holds the local ports, is damaged`, {
      code: 'StateCorrupt',
      retry: 'never',
      hint: 'remove it to have ports chosen anew',
      cause: error,
    });
  }
}

async function firstFree(others: ReadonlySet<number>): Promise<number> {
  for (let port = FIRST_PORT; port < FIRST_PORT + 1000; port += 1) {
    if (!others.has(port) && (await isFree(port))) return port;
  }
  throw new GatewayError(`no port of 127.0.0.1 from ${FIRST_PORT} on is free`, { code: 'PortInUse' });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error) => {
      if (errnoOf(error) === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function taken(what: string, port: number, file: string): GatewayError {
  return new GatewayError(`port ${port} of 127.0.0.1, which ${what} has here, is taken by another program`, {
    code: 'PortInUse',
    retry: 'when-changed',
    hint: `end that program (another gateway site join?), or remove ${file} to have ports chosen anew`,
  });
}
