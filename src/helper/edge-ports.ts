import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { errnoOf } from '../core/errors.ts';
import type { EdgeRoute, EdgeSpec } from '../core/operations.ts';
import { ipShow } from '../system/ip-show.ts';
import { run } from '../system/run.ts';
import { fileError } from '../system/files.ts';
import type { EdgeHere } from './edge-config.ts';
import { readPlain } from './owned-directory.ts';
import { parseListeners } from './listeners.ts';

/**
 * One address that cannot be bound would keep HAProxy from starting at all, and every other way with it. So a route whose
 * port is taken, or whose address is not there, is left out and named; visitors of web names are taken at another port,
 * to which the router's own can lead. `own` are the processes of HAProxy: what they hold already is theirs.
 */
export async function bindable(
  { routes, listen, tunnels = [], source }: EdgeSpec,
  own: readonly number[],
  signal: AbortSignal,
): Promise<Pick<EdgeHere, 'left' | 'listen' | 'taken' | 'shut'>> {
  if (routes.length === 0 && listen === undefined && tunnels.length === 0) return { left: [], taken: [] };
  const ofTunnels = tunnels.flatMap(({ https, http }) => [https, http]);
  const ports = [...routes.map(({ port }) => port), ...Object.values(listen ?? {}), ...ofTunnels];
  const [holders, addresses] = await Promise.all([settledHolders(ports, signal), hostAddresses(signal)]);
  const isOwn = ({ pids }: Holder): boolean => pids.some((pid) => own.includes(pid));
  const rivalOf = (address: string, port: number): Holder | undefined => {
    const rivals = holders.filter((holder) => isRival(holder, { address, port }));
    // One address of our own says nothing of the others.
    const isHeld = rivals.some(
      (holder) => isOwn(holder) && (address !== ANYWHERE || holder.address === '0.0.0.0'),
    );
    return isHeld ? undefined : rivals.find((holder) => !isOwn(holder));
  };
  const left = routes.flatMap(({ service, address, port }) => {
    const rival = rivalOf(address, port);
    if (rival !== undefined) return [{ service, reason: takenText(port, rival) }];
    return addresses.has(address) ? [] : [{ service, reason: `its address ${address} is not on the host` }];
  });
  const isFree = (port: number): boolean => rivalOf(ANYWHERE, port) === undefined;
  const whyShut = (port: number): string[] => {
    const rival = rivalOf(source, port);
    if (rival !== undefined) return [takenText(port, rival)];
    return addresses.has(source) ? [] : [`the edge's address ${source} is not on the host`];
  };
  const reasons = tunnels.map(({ number, https, http }) => ({
    number,
    why: [...whyShut(https), ...whyShut(http)],
  }));
  const closed = reasons.filter(({ why }) => why.length > 0);
  const shut =
    closed.length === 0 ? {} : { shut: closed.map(({ number, why }) => ({ number, why: why.join('; ') })) };
  if (listen === undefined) return { left, taken: [], ...shut };
  const taken = Object.values(listen).flatMap((port) => {
    const rival = rivalOf(ANYWHERE, port);
    return rival === undefined ? [] : [takenText(port, rival)];
  });
  const https = [listen.https, ...INSTEAD.https].find(isFree) ?? listen.https;
  const http = [listen.http, ...INSTEAD.http].find(isFree) ?? listen.http;
  return { left, listen: { https, http }, taken, ...shut };
}

/** Below the range that outgoing connections use, and not what services are usually given. */
const INSTEAD = {
  https: Array.from({ length: 10 }, (_, index) => 7443 + index),
  http: Array.from({ length: 10 }, (_, index) => 7080 + index),
};

const ANYWHERE = 'anywhere';

function takenText(port: number, { program, address }: Holder): string {
  return `port ${port} is taken on this machine by ${program}, which listens on ${address}`;
}

/** The kernel can be told to have none of it. */
export async function hasIpv6(): Promise<boolean> {
  try {
    await access('/proc/net/if_inet6');
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw fileError('/proc/net/if_inet6 could not be looked for', error);
  }
}

interface Holder {
  readonly address: string;
  readonly port: number;
  /** `nginx (process 42)` */
  readonly program: string;
  readonly pids: readonly number[];
}

const ENDING_POLL_MS = 100;
const ENDING_POLLS = 10;

/** A process that was just killed is gone before its sockets are: a port that nobody has is waited for, for a second. */
async function settledHolders(ports: readonly number[], signal: AbortSignal): Promise<Holder[]> {
  for (let poll = 0; ; poll += 1) {
    const holders = await listHolders(signal);
    const isEnding = holders.some(({ port, pids }) => ports.includes(port) && pids.length === 0);
    if (!isEnding || poll >= ENDING_POLLS) return holders;
    await sleep(ENDING_POLL_MS, undefined, { signal });
  }
}

async function listHolders(signal: AbortSignal): Promise<Holder[]> {
  const { stdout } = await run(['ss', '-H', '-l', '-t', '-n', '-p'], { signal });
  const found = stdout.split('\n').flatMap((line) =>
    parseListeners(line).map((listener) => {
      const users = [...line.matchAll(/\("([^"]*)",pid=(\d+)/g)];
      return { ...listener, users: users.map(([, name = '', pid]) => ({ name, pid: Number(pid) })) };
    }),
  );
  return Promise.all(
    found.map(async ({ users, ...listener }) => {
      const [first] = users;
      const program = first === undefined ? 'a program' : await programText(first.name, first.pid);
      return { ...listener, program, pids: users.map(({ pid }) => pid) };
    }),
  );
}

/** `nginx (process 42 of nginx.service)` */
async function programText(name: string, pid: number): Promise<string> {
  const groups = (await readPlain(`/proc/${pid}/cgroup`))?.toString() ?? '';
  const unit = /\/([^/\n]+\.service)(\/|$)/m.exec(groups)?.[1];
  return `${name} (process ${pid}${unit === undefined ? '' : ` of ${unit}`})`;
}

function isRival(holder: Holder, { address, port }: Pick<EdgeRoute, 'address' | 'port'>): boolean {
  const isThere = address === ANYWHERE || ['0.0.0.0', '::', address].includes(holder.address);
  return holder.port === port && isThere;
}

const Addressed = z.array(z.object({ addr_info: z.array(z.object({ local: z.string() })).optional() }));

async function hostAddresses(signal: AbortSignal): Promise<ReadonlySet<string>> {
  const [shown] = await ipShow(undefined, ['addr show'], signal);
  const interfaces = Addressed.parse(shown);
  return new Set(interfaces.flatMap((each) => (each.addr_info ?? []).map(({ local }) => local)));
}
