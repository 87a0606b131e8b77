import { rename } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { canonical } from '../core/plan.ts';
import type { EdgeSpec, OperationResult } from '../core/operations.ts';
import { fileError, removeFile, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import { parseEdgeConfig, renderEdgeConfig, type EdgeConfig, type EdgeHere } from './edge-config.ts';
import { edgeConfigFile, ensureHandoutRun, inEdgeDirectory, type EdgeDirectory } from './edge-directory.ts';
import { publicOnions } from './edge-onions.ts';
import { bindable, hasIpv6 } from './edge-ports.ts';
import {
  complaintOf,
  endEdge,
  findEdge,
  findOneOfEdge,
  findWorkers,
  reloadEdge,
  startEdge,
} from './edge-process.ts';
import {
  forgetCertificate,
  keepCertificate,
  listCertificates,
  renderCertificateLists,
} from './edge-certificates.ts';
import { ensureChallengeFiles } from './edge-challenges.ts';
import { ensureClients, listClients } from './edge-clients.ts';
import { edgeMaps } from './edge-web.ts';
import { askEdge, tellWorker, type EdgeAnswer } from './edge-socket.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { readPlain } from './owned-directory.ts';
import { asUser } from './run-as.ts';

type Seen = OperationResult<'edge.observe'>;

/** HAProxy ends the connections that the host itself must not forward, and those of visitors of web names. */

export const writeEdge: Handler<'edge.write'> = ({ edge }, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const { hash, here } = await prepare(edge, directory, environment, signal);
    return { configHash: hash, left: [...here.left] };
  });

export const observeEdge: Handler<'edge.observe'> = (_input, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const text = await readText(directory);
    const config = text === undefined ? undefined : parseEdgeConfig(text);
    const { loadedHash, ...seen } = await observeProcess(environment, signal);
    const renew = config === undefined ? undefined : await renewalOf(config, environment, signal);
    return {
      ...(renew === undefined ? {} : { renew }),
      ...seen,
      ...(loadedHash === undefined ? {} : { loadedHash }),
      ...(config === undefined ? {} : { configHash: config.hash }),
      ...(config !== undefined && text === renderAgain(config, environment) ? { edge: config.asked } : {}),
      ...hereOf(config),
      clients: await listClients(directory),
      certificates: await listCertificates(directory),
    };
  });

function hereOf(config: EdgeConfig | undefined): Pick<Seen, 'left' | 'listen' | 'taken' | 'shut'> {
  const { left = [], listen, taken = [], shut } = config?.here ?? {};
  return {
    left: [...left],
    ...(listen === undefined ? {} : { listen }),
    taken: [...taken],
    ...(shut === undefined ? {} : { shut: [...shut] }),
  };
}

/** What this machine allows now, and did not when the configuration was written. */
async function renewalOf(
  config: EdgeConfig,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { asked, here } = config;
  const onions = await publicOnions(asked, environment);
  if (canonical(onions) !== canonical(here.onions)) return 'visitors are told another onion address';
  return freedPort(config, environment, signal);
}

/** Looked for only while a port is taken: it costs more than the rest of a look. */
async function freedPort(
  { asked, here }: EdgeConfig,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (here.taken.length === 0 && here.shut === undefined) return undefined;
  const { listen, shut = [] } = await bindable(asked, await findEdge(environment), signal);
  const isBetter = (name: 'https' | 'http'): boolean =>
    listen?.[name] === asked.listen?.[name] && here.listen?.[name] !== asked.listen?.[name];
  const isShut = (number: number): boolean => shut.some((each) => each.number === number);
  if ((here.shut ?? []).some(({ number }) => !isShut(number))) return 'ports for a relay are free again';
  const freed = (['https', 'http'] as const).filter(isBetter).map((name) => asked.listen?.[name]);
  return freed.length === 0 ? undefined : `port ${freed.join(' and port ')} is free again`;
}

interface SeenProcess extends Partial<EdgeAnswer> {
  readonly running: boolean;
  readonly trouble?: string;
}

/** Running means that the process lives and its socket answers. */
async function observeProcess(environment: HelperEnvironment, signal: AbortSignal): Promise<SeenProcess> {
  const pid = await findOneOfEdge(environment);
  if (pid === undefined) return { running: false };
  try {
    return { running: true, ...(await askEdge(environment, signal)) };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return { running: false, trouble: `process ${pid}: ${error.message}` };
  }
}

export const loadEdge: Handler<'edge.load'> = (_input, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const before = parseEdgeConfig((await readText(directory)) ?? '');
    if (before === undefined) {
      throw new GatewayError('there is no configuration for HAProxy to load', {
        code: 'InvalidRequest',
        retry: 'never',
      });
    }
    // Ports may have been taken or released since it was written.
    const config = await prepare(before.asked, directory, environment, signal);
    const started = await bringUp(config, directory, environment, signal);
    return { started, left: [...config.here.left] };
  });

/** `true` when a process was started. */
async function bringUp(
  { hash }: EdgeConfig,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const { running, loadedHash, trouble } = await observeProcess(environment, signal);
  if (running && loadedHash === hash) return false;
  if (running) {
    await reloadEdge(hash, environment, directory, signal);
    return false;
  }
  if (trouble !== undefined) {
    environment.log('warn', 'haproxy does not answer; it is started anew', { trouble });
  }
  await endEdge(environment, signal);
  await startEdge(hash, environment, directory, signal);
  return true;
}

/** One by one: a worker that was replaced knows its backends no more, but still what is open. */
export const cutEdge: Handler<'edge.cut'> = async ({ service }, environment, signal) => {
  for (const pid of await findWorkers(environment)) {
    const sessions = await tellWorker(pid, environment, 'show sess', signal);
    for (const [, id, backend] of sessions.matchAll(/^(0x[0-9a-f]+): .*? be=(\S+) /gm)) {
      if (backend !== `http.${service}` && backend !== `tcp.${service}`) continue;
      await tellWorker(pid, environment, `shutdown session ${id}`, signal);
    }
  }
  return {};
};

export const writeCertificate: Handler<'edge.certificate'> = (certificate, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const isAddress = isIP(certificate.name) !== 0;
    // HAProxy has no place for the first one of an address: what it shows to all who say no name must be there first.
    const before = parseEdgeConfig((await readText(directory)) ?? '');
    await keepCertificate(certificate, directory, environment, signal);
    if (isAddress && before?.here.hasAddress === false) await loadAgain(directory, environment, signal);
    return {};
  });

export const removeCertificate: Handler<'edge.certificate.remove'> = ({ name }, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    await forgetCertificate(name, directory, environment, signal);
    return {};
  });

async function loadAgain(
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const before = parseEdgeConfig((await readText(directory)) ?? '');
  if (before === undefined || (await findOneOfEdge(environment)) === undefined) return;
  await bringUp(await prepare(before.asked, directory, environment, signal), directory, environment, signal);
}

export const stopEdge: Handler<'edge.stop'> = (_input, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    await endEdge(environment, signal);
    await removeFile(join(directory.base, 'haproxy.cfg'));
    return {};
  });

/** Renders, verifies and puts in place; does nothing when that configuration is there already. */
async function prepare(
  asked: EdgeSpec,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<EdgeConfig> {
  const here = await lookAround(asked, directory, environment, signal);
  const text = renderEdgeConfig(asked, here, environment.paths);
  const isReady = await writeReadFiles(asked, here, directory, environment);
  if (!isReady || (await readText(directory)) !== text) {
    await replaceVerified(text, directory, environment, signal);
  }
  const written = parseEdgeConfig(text);
  if (written === undefined) throw new TypeError('a configuration that was just written cannot be read back');
  return written;
}

async function lookAround(
  asked: EdgeSpec,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<EdgeHere> {
  const own = await findEdge(environment);
  const certificates = await listCertificates(directory);
  const addresses = new Set(asked.sites.map(({ domain }) => domain).filter((domain) => isIP(domain) !== 0));
  return {
    ...(await bindable(asked, own, signal)),
    hasIpv6: await hasIpv6(),
    onions: await publicOnions(asked, environment),
    hasAddress: certificates.some(({ name }) => addresses.has(name)),
  };
}

/** Everything that the configuration reads; `false` when something of it was not there, or another. */
async function writeReadFiles(
  asked: EdgeSpec,
  here: EdgeHere,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
): Promise<boolean> {
  const owner = { uid: process.getuid?.() ?? 0, gid: environment.edge.gid };
  const lists = await renderCertificateLists(directory, environment);
  const files = new Map([...edgeMaps(asked, here), ...lists]);
  await ensureClients(directory, environment);
  if (asked.authority !== undefined) await ensureHandoutRun(environment);
  await ensureChallengeFiles((await findOneOfEdge(environment)) === undefined, directory, environment);
  let isReady = true;
  for (const [name, text] of files) {
    const file = join(directory.base, name);
    if ((await readPlain(file))?.toString() === text) continue;
    isReady = false;
    await writeFileAtomic(file, text, { mode: 0o640, owner });
  }
  return isReady;
}

/** HAProxy itself must accept the new configuration, as its own user, before it replaces the old one. */
async function replaceVerified(
  text: string,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const owner = { uid: process.getuid?.() ?? 0, gid: environment.edge.gid };
  const draft = join(directory.base, 'haproxy.cfg.new');
  await writeFileAtomic(draft, text, { mode: 0o640, owner });
  const argv = ['haproxy', '-c', '-f', `${edgeConfigFile(environment)}.new`] as const;
  const { stderr, exitCode } = await run([...asUser(environment.edge), ...argv], {
    signal,
    cwd: '/',
    accept: [0, 1],
  });
  if (exitCode !== 0) throw rejected(stderr);
  try {
    await rename(draft, join(directory.base, 'haproxy.cfg'));
    await syncDirectory(directory.base);
  } catch (error) {
    throw fileError("HAProxy's configuration could not be replaced", error);
  }
}

function rejected(output: string): GatewayError {
  return new GatewayError(
    `HAProxy does not accept its new configuration, so the old one stays: ${complaintOf(output)}`,
    { code: 'EdgeUnavailable', hint: 'HAProxy 2.6 or later is needed: haproxy -v' },
  );
}

function renderAgain({ asked, here }: EdgeConfig, { paths }: HelperEnvironment): string {
  return renderEdgeConfig(asked, here, paths);
}

async function readText(directory: EdgeDirectory): Promise<string | undefined> {
  return (await readPlain(join(directory.base, 'haproxy.cfg')))?.toString();
}
