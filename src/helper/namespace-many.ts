import { GatewayError } from '../core/errors.ts';
import type { ServiceFailure } from '../core/namespace-operations.ts';
import type { OperationArguments } from '../core/operations.ts';
import { ipBatch, isNetns, setSysctls } from '../system/netns.ts';
import { loadRules } from '../system/nft.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { failureOf } from './failure.ts';
import { listLinks } from './links.ts';
import { addMark, listMarks } from './marks.ts';
import { hubNetns, ownerOf, serviceLink, serviceNetns } from './names.ts';
import { addLine, ensureNamespace, finishLines, insideOf, settingsOf } from './namespace.ts';
import { writeResolverFiles } from './resolver-files.ts';
import { serviceRules } from './rules.ts';

type Input = OperationArguments<'namespace.ensureAll'>;
type Wanted = Input['namespaces'][number];

/** A program waits for the kernel as long as it computes; more at once only take memory. */
const AT_ONCE = 6;

/**
 * After a power cut all come at once, and starting programs is what takes the time: one says what it can for many, and
 * the others run several at a time. Only for those of which nothing stands yet; every other one, and all where something
 * fails on the way, is made by itself, which tells what is wrong with which.
 */
export const ensureNamespaces: Handler<'namespace.ensureAll'> = async (input, environment, signal) => {
  const fresh = await freshOf(input, environment, signal);
  const areMade = await makeAll(input, fresh, environment, signal);
  const others = areMade ? input.namespaces.filter((wanted) => !fresh.includes(wanted)) : input.namespaces;
  const failed: ServiceFailure[] = [];
  for (const { service, spec } of others) {
    try {
      await ensureNamespace({ network: input.network, service, spec }, environment, signal);
    } catch (error) {
      failed.push({ service, ...failureOf(error) });
    }
  }
  return { failed };
};

/**
 * Those without a namespace, a link, or a mark that says something else of them. Their own mark may be left from before a
 * power cut, where the directory of the sockets is on a disk.
 */
async function freshOf(
  { network, namespaces }: Input,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<Wanted[]> {
  const marks = await listMarks(environment, network);
  const byNamespace = Map.groupBy(marks, ({ namespace }) => namespace);
  const byService = Map.groupBy(marks, ({ service }) => service);
  const isTaken = ({ service, spec: { namespace } }: Wanted): boolean =>
    [...(byNamespace.get(namespace) ?? []), ...(byService.get(service) ?? [])].some(
      (mark) => mark.namespace !== namespace || mark.service !== service,
    );
  const links = new Set((await listLinks(hubNetns(network), signal)).map((link) => link.ifname));
  const stand = await Promise.all(
    namespaces.map(({ spec }) => isNetns(serviceNetns(network, spec.namespace))),
  );
  return namespaces.filter(
    (one, index) => stand[index] === false && !isTaken(one) && !links.has(serviceLink(one.service)),
  );
}

/** In the order of `ensureNamespace`: the wall stands before there is a link. False when something failed. */
async function makeAll(
  { network }: Input,
  wanted: readonly Wanted[],
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const netnsOf = ({ spec }: Wanted): string => serviceNetns(network, spec.namespace);
  const hub = hubNetns(network);
  try {
    await each(wanted, async (one) => {
      const { service, spec } = one;
      await addMark(environment, network, { service, namespace: spec.namespace }, spec.upstreams);
      await writeResolverFiles(netnsOf(one), service, spec, network, environment);
    });
    await ipBatch(
      undefined,
      wanted.map((one) => `netns add ${netnsOf(one)}`),
      signal,
    );
    await each(wanted, async (one) => {
      await loadRules(netnsOf(one), serviceRules(one.spec, network), signal);
      await setSysctls(netnsOf(one), settingsOf(network), signal);
    });
    await ipBatch(
      hub,
      wanted.map((one) => addLine(one.service, netnsOf(one))),
      signal,
    );
    await each(wanted, (one) => ipBatch(netnsOf(one), insideOf(network, one.spec), signal));
    const owner = ownerOf(environment);
    await ipBatch(
      hub,
      wanted.flatMap(({ service, spec }) => finishLines(network, service, spec, owner)),
      signal,
    );
    return true;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    environment.log('warn', 'namespaces could not be made together', { why: error.message });
    return false;
  }
}

async function each(wanted: readonly Wanted[], task: (one: Wanted) => Promise<void>): Promise<void> {
  const rest = wanted.values();
  const worker = async (): Promise<void> => {
    for (const one of rest) await task(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
