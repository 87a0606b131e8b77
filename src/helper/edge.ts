import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import type { EdgeSpec } from '../core/operations.ts';
import { fileError, removeFile, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import { parseEdgeConfig, renderEdgeConfig, type EdgeConfig } from './edge-config.ts';
import { edgeConfigFile, inEdgeDirectory, type EdgeDirectory } from './edge-directory.ts';
import { unbindable } from './edge-ports.ts';
import { complaintOf, endEdge, findEdge, findOneOfEdge, reloadEdge, startEdge } from './edge-process.ts';
import { listCertificates, renderCertificateList } from './edge-certificates.ts';
import { CERTIFICATE_LIST, CHALLENGE_LIST, CHALLENGE_MAP, edgeMaps } from './edge-web.ts';
import { askEdge, type EdgeAnswer } from './edge-socket.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { readPlain } from './owned-directory.ts';
import { asUser } from './run-as.ts';

/** HAProxy ends the connections that the host itself must not forward, and those of visitors of web names. */

/** What is in them at run time is gone with the process: challenges are of minutes. */
const EMPTY_FILES = [
  [CHALLENGE_LIST, ''],
  [CHALLENGE_MAP, ''],
] as const;

export const writeEdge: Handler<'edge.write'> = ({ edge }, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const { hash, left } = await prepare(edge, directory, environment, signal);
    return { configHash: hash, left: [...left] };
  });

export const observeEdge: Handler<'edge.observe'> = (_input, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    const text = await readText(directory);
    const config = text === undefined ? undefined : parseEdgeConfig(text);
    const { loadedHash, ...seen } = await observeProcess(environment, signal);
    return {
      ...seen,
      ...(loadedHash === undefined ? {} : { loadedHash }),
      ...(config === undefined ? {} : { configHash: config.hash }),
      ...(config !== undefined && text === renderAgain(config, environment) ? { edge: config.asked } : {}),
      left: [...(config?.left ?? [])],
      certificates: await listCertificates(directory),
    };
  });

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
    return { started, left: [...config.left] };
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
  const left = await unbindable(asked, await findEdge(environment), signal);
  const text = renderEdgeConfig(asked, left, environment.paths);
  const isReady = await writeReadFiles(asked, directory, environment);
  if (!isReady || (await readText(directory)) !== text) {
    await replaceVerified(text, directory, environment, signal);
  }
  const written = parseEdgeConfig(text);
  if (written === undefined) throw new TypeError('a configuration that was just written cannot be read back');
  return written;
}

/** Everything that the configuration reads; `false` when something of it was not there, or another. */
async function writeReadFiles(
  asked: EdgeSpec,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
): Promise<boolean> {
  const owner = { uid: process.getuid?.() ?? 0, gid: environment.edge.gid };
  const list = await renderCertificateList(directory, environment);
  const files = new Map([...edgeMaps(asked), [CERTIFICATE_LIST, list], ...EMPTY_FILES]);
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

function renderAgain({ asked, left }: EdgeConfig, { paths }: HelperEnvironment): string {
  return renderEdgeConfig(asked, left, paths);
}

async function readText(directory: EdgeDirectory): Promise<string | undefined> {
  return (await readPlain(join(directory.base, 'haproxy.cfg')))?.toString();
}
