import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import type { EgressSpec, SeenEgress } from '../core/egress.ts';
import type { Network } from '../core/service.ts';
import { inNetns, isNetns } from '../system/netns.ts';
import { loadRules } from '../system/nft.ts';
import { run, type Argv } from '../system/run.ts';
import {
  damageOfHost,
  ensureHostRouting,
  ensureHubRoutes,
  hubRoutes,
  lookAtHost,
  removeHostRouting,
} from './egress-host.ts';
import { HOST_CHAINS, hostRules, hostSets, leavingRules, wayOutFrom } from './egress-rules.ts';
import type { Handler } from './environment.ts';
import { hostTable, hubNetns } from './names.ts';
import { EGRESS_MARKS, EGRESS_TABLES, LEAVING_SETS } from './rules.ts';
import { heldBack } from './egress-held.ts';
import { type HubTable, readTable } from './table.ts';

/** Who is let out. The way stands, and is watched over, before the hub lets anything into it. */
export const ensureEgress: Handler<'egress.ensure'> = async ({ network, egress }, _environment, signal) => {
  const hub = hubNetns(network);
  const isDirect = egress.services.some(({ by }) => by === 'direct');
  const [before, sight] = await Promise.all([readTable(hub, signal), lookAtHost(network, signal)]);
  await closeRemoved(network, leavers(before), egress.services, signal);
  await loadRules(undefined, hostRules(network, egress), signal);
  await ensureHostRouting(network, isDirect, sight, signal);
  await ensureHubRoutes(network, isDirect, signal);
  await loadRules(hub, leavingRules(egress, sight.own), signal);
  await cutRemoved(network, leavers(before), egress.services, signal);
  return {};
};

type Leaver = EgressSpec['services'][number];

function isAmong(leaver: Leaver, others: readonly Leaver[]): boolean {
  return others.some(({ address, by }) => address === leaver.address && by === leaver.by);
}

/** Who leaves no more is held in before the way changes. */
async function closeRemoved(
  network: Network,
  before: readonly Leaver[],
  now: readonly Leaver[],
  signal: AbortSignal,
): Promise<void> {
  const staying = before.filter((leaver) => isAmong(leaver, now));
  if (staying.length === before.length) return;
  await loadRules(hubNetns(network), leavingRules({ services: staying }, []), signal);
}

/** What they have open ends too, in the host's namespace as well, which remembers to which tor it went. */
async function cutRemoved(
  network: Network,
  before: readonly Leaver[],
  now: readonly Leaver[],
  signal: AbortSignal,
): Promise<void> {
  for (const { address, by } of before.filter((leaver) => !isAmong(leaver, now))) {
    const from = ['--orig-src', address];
    const mark = EGRESS_MARKS[by === 'direct' ? 'direct' : 'tor'];
    const cut = ['conntrack', '-D', ...from] as const;
    await cutConnections(address, inNetns(hubNetns(network), [...cut, '--mark', String(mark)]), signal);
    if (by !== 'direct') await cutConnections(address, cut, signal);
  }
}

async function cutConnections(address: string, argv: Argv, signal: AbortSignal): Promise<void> {
  const ran = await run(argv, { signal, accept: [0, 1] });
  if (ran.exitCode === 0 || ran.stderr.includes(' 0 flow entries')) return;
  throw new GatewayError(`what ${address} has open could not be ended: ${ran.stderr.trim()}`, {
    code: 'CommandFailed',
  });
}

export const removeEgress: Handler<'egress.remove'> = async ({ network }, _environment, signal) => {
  const hub = hubNetns(network);
  const before = (await isNetns(hub)) ? await readTable(hub, signal) : undefined;
  if (before?.sets.has(LEAVING_SETS.tor) === true) {
    await loadRules(hub, leavingRules({ services: [] }, []), signal);
    await cutRemoved(network, leavers(before), [], signal);
  }
  await removeHostRouting(network, await lookAtHost(network, signal), signal);
  const name = hostTable(network);
  await loadRules(undefined, `add table inet ${name}\ndelete table inet ${name}\n`, signal);
  return {};
};

/** `inHub`: the hub's table, `onHost`: ours on the host. */
export async function observeEgress(
  network: Network,
  { inHub, onHost }: { readonly inHub: HubTable | undefined; readonly onHost: HubTable | undefined },
  signal: AbortSignal,
): Promise<SeenEgress | undefined> {
  const services = leavers(inHub);
  if (services.length === 0 && onHost === undefined) return undefined;
  const [renew, held] = await Promise.all([
    damageOf(network, services, inHub, onHost, signal),
    heldBack(services, onHost, signal),
  ]);
  return {
    services,
    ...(renew === undefined ? {} : { renew }),
    ...(held === undefined ? {} : { held }),
  };
}

async function damageOf(
  network: Network,
  services: readonly Leaver[],
  inHub: HubTable | undefined,
  onHost: HubTable | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (inHub === undefined) return 'the hub is gone';
  if (onHost === undefined) return 'its table on the host is gone; nothing leaves until it is back';
  if (JSON.stringify(onHost.chains) !== JSON.stringify(HOST_CHAINS))
    return 'its table on the host was changed';
  for (const [set, wanted] of Object.entries(hostSets(services))) {
    if (!sameSet(onHost.sets.get(set) ?? [], wanted)) return 'its table on the host was changed';
  }
  const isDirect = services.some(({ by }) => by === 'direct');
  const [sight, routed] = await Promise.all([lookAtHost(network, signal), hubRoutes(network, signal)]);
  if (!routed.has(EGRESS_TABLES.tor) || (isDirect && !routed.has(EGRESS_TABLES.direct))) {
    return 'the hub lost its way out';
  }
  if (!sameSet(inHub.sets.get('own') ?? [], sight.own)) return 'this machine has other addresses now';
  return damageOfHost(network, isDirect, sight);
}

function sameSet(a: readonly unknown[], b: readonly string[]): boolean {
  return a.map(String).sort().join() === [...b].sort().join();
}

/** `{ elem: { val: { concat: ['s-0123456789ab', '10.64.1.2'] }, comment: 'shop' } }` */
const Element = z.object({
  elem: z.object({ val: z.object({ concat: z.tuple([z.string(), z.string()]) }), comment: z.string() }),
});

/** Sorted by service, as it was asked for. */
function leavers(table: HubTable | undefined): Leaver[] {
  const found = (['tor', 'direct'] as const).flatMap((by) =>
    (table?.sets.get(LEAVING_SETS[by]) ?? []).flatMap((element): Leaver[] => {
      const parsed = Element.safeParse(element);
      if (!parsed.success) return [];
      const { val, comment } = parsed.data.elem;
      return [{ ...wayOutFrom(by, comment), address: val.concat[1] }];
    }),
  );
  return found.sort((a, b) => (a.service < b.service ? -1 : 1));
}
