import { z } from 'zod';
import type { EdgeRoute, EdgeSpec } from '../core/operations.ts';
import { ipShow } from '../system/ip-show.ts';
import { run } from '../system/run.ts';
import type { LeftOut } from './own-comments.ts';
import { parseListeners } from './listeners.ts';

/**
 * One address that cannot be bound would keep HAProxy from starting at all, and every other route with it. So a route
 * whose port is taken, or whose address is not there, is left out and named. `own` are the processes of HAProxy: what
 * they hold already is theirs.
 */
export async function unbindable(
  { routes }: EdgeSpec,
  own: readonly number[],
  signal: AbortSignal,
): Promise<LeftOut[]> {
  if (routes.length === 0) return [];
  const [holders, addresses] = await Promise.all([listHolders(signal), hostAddresses(signal)]);
  return routes.flatMap((route) => {
    const rivals = holders.filter((holder) => isRival(holder, route));
    if (rivals.some(({ pids }) => pids.some((pid) => own.includes(pid)))) return [];
    const [rival] = rivals;
    const { service, address, port } = route;
    if (rival !== undefined) {
      const reason = `port ${port} is taken on this machine by ${rival.program}, which listens on ${rival.address}`;
      return [{ service, reason }];
    }
    return addresses.has(address) ? [] : [{ service, reason: `its address ${address} is not on the host` }];
  });
}

interface Holder {
  readonly address: string;
  readonly port: number;
  /** `nginx (process 42)` */
  readonly program: string;
  readonly pids: readonly number[];
}

async function listHolders(signal: AbortSignal): Promise<Holder[]> {
  const { stdout } = await run(['ss', '-H', '-l', '-t', '-n', '-p'], { signal });
  return stdout.split('\n').flatMap((line) =>
    parseListeners(line).map((listener) => {
      const users = [...line.matchAll(/\("([^"]*)",pid=(\d+)/g)];
      const [first] = users;
      const program = first === undefined ? 'a program' : `${first[1]} (process ${first[2]})`;
      return { ...listener, program, pids: users.map((user) => Number(user[2])) };
    }),
  );
}

function isRival(holder: Holder, { address, port }: EdgeRoute): boolean {
  return holder.port === port && ['0.0.0.0', '::', address].includes(holder.address);
}

const Addressed = z.array(z.object({ addr_info: z.array(z.object({ local: z.string() })).optional() }));

async function hostAddresses(signal: AbortSignal): Promise<ReadonlySet<string>> {
  const [shown] = await ipShow(undefined, ['addr show'], signal);
  const interfaces = Addressed.parse(shown);
  return new Set(interfaces.flatMap((each) => (each.addr_info ?? []).map(({ local }) => local)));
}
