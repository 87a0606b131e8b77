import { isIP } from 'node:net';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { canonical } from '../core/plan.ts';
import type { OperationResult } from '../core/operations.ts';
import { removeFile } from '../system/files.ts';
import { forgetCertificate, keepCertificate, shownCertificates } from './edge-certificates.ts';
import { takeChallenge } from './edge-challenges.ts';
import { parseEdgeConfig, type EdgeConfig } from './edge-config.ts';
import { listClients } from './edge-clients.ts';
import { inEdgeDirectory, type EdgeDirectory } from './edge-directory.ts';
import { areFilesOthers, prepare, readText, renderAgain } from './edge-files.ts';
import { bringUpDoor, doorTrouble, endDoor } from './door.ts';
import { publicOnions } from './edge-onions.ts';
import { bindable } from './edge-ports.ts';
import { endEdge, findEdge, findOneOfEdge, findWorkers, reloadEdge, startEdge } from './edge-process.ts';
import { changeRunning, otherwiseThanFiles } from './edge-runtime.ts';
import { isServerOf } from './edge-services.ts';
import { tellStrict } from './edge-strict.ts';
import { askEdge, tellWorker, type EdgeAnswer } from './edge-socket.ts';
import type { Handler, HelperEnvironment } from './environment.ts';

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
    const renew =
      config === undefined
        ? undefined
        : await renewalOf(config, { ...seen, loadedHash }, directory, environment, signal);
    const shown = await shownCertificates(seen.running, directory, environment, signal);
    return {
      ...(renew === undefined ? {} : { renew }),
      ...seen,
      ...(loadedHash === undefined ? {} : { loadedHash }),
      ...(config === undefined ? {} : { configHash: config.hash }),
      ...(config !== undefined && text === renderAgain(config, environment) ? { edge: config.asked } : {}),
      ...hereOf(config),
      clients: await listClients(directory),
      certificates: shown.map(({ name, fingerprint }) => ({ name, fingerprint })),
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

/** What this machine allows now, and did not when the configuration was written; or what HAProxy does not do of it. */
async function renewalOf(
  config: EdgeConfig,
  { running, loadedHash }: SeenProcess,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { asked, here } = config;
  const onions = await publicOnions(asked, environment);
  if (canonical(onions) !== canonical(here.onions)) return 'visitors are told another onion address';
  if (await areFilesOthers(config, directory)) return 'files of HAProxy were changed by hand';
  const isLoaded = running && loadedHash === config.hash;
  const otherwise = isLoaded ? await otherwiseThanFiles(config, environment, signal) : undefined;
  if (otherwise !== undefined) return otherwise;
  return (await doorTrouble(asked, environment, signal)) ?? freedPort(config, environment, signal);
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
    if (!started) await tellStrict(config.asked, directory, environment, signal);
    await bringUpDoor(config.asked, environment, signal);
    return { started, left: [...config.here.left] };
  });

/** `true` when a process was started. */
async function bringUp(
  config: EdgeConfig,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const { hash } = config;
  const { running, loadedHash, trouble } = await observeProcess(environment, signal);
  if (running && loadedHash === hash && (await changeRunning(config, environment, signal))) return false;
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
    for (const [, id, server = ''] of sessions.matchAll(/^(0x[0-9a-f]+): .*? srv=(\S+) /gm)) {
      if (!isServerOf(service, server)) continue;
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

export const answerChallenge: Handler<'edge.challenge'> = (challenge, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const look = async (): Promise<void> => {
      const before = parseEdgeConfig((await readText(directory)) ?? '');
      if (before?.here.looks === false) await loadAgain(directory, environment, signal);
    };
    await takeChallenge(challenge, look, directory, environment, signal);
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
    await endDoor(environment, signal);
    await endEdge(environment, signal);
    await removeFile(join(directory.base, 'haproxy.cfg'));
    return {};
  });
