import { rename } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import type { EdgeSpec } from '../core/operations.ts';
import { fileError, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import {
  acceptedCertificates,
  listTexts,
  ownedBy,
  renderCertificateLists,
} from './edge-certificate-files.ts';
import { ensureChallengeFiles, hasChallenge } from './edge-challenges.ts';
import { parseEdgeConfig, renderEdgeConfig, type EdgeConfig, type EdgeHere } from './edge-config.ts';
import { ensureClients } from './edge-clients.ts';
import { edgeConfigFile, ensureHandoutRun, type EdgeDirectory } from './edge-directory.ts';
import { deviceFiles } from './edge-devices.ts';
import { needsLook } from './edge-direct.ts';
import { ensureOnionDoors, insideMaps } from './edge-inside.ts';
import { onionNames } from './edge-onion-names.ts';
import { publicOnions } from './edge-onions.ts';
import { bindable, hasIpv6 } from './edge-ports.ts';
import { complaintOf, findEdge, findOneOfEdge } from './edge-process.ts';
import { strictMap } from './edge-strict.ts';
import { edgeMaps, CERTIFICATE_LIST } from './edge-web.ts';
import type { HelperEnvironment } from './environment.ts';
import { readPlain } from './owned-directory.ts';
import { asUser } from './run-as.ts';

/** What HAProxy reads at its start: written whole, and never before it accepts it. */

/** Renders, verifies and puts in place; does nothing when that configuration is there already. */
export async function prepare(
  asked: EdgeSpec,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<EdgeConfig> {
  const here = await lookAround(asked, directory, environment, signal);
  const text = renderEdgeConfig(asked, here, environment.paths);
  await ensureOnionDoors(asked, environment);
  const isReady = await writeReadFiles(asked, here, directory, environment, signal);
  const written = parseEdgeConfig(text);
  if (written === undefined) throw new TypeError('a configuration that was just written cannot be read back');
  if (!isReady || (await readText(directory)) !== text) {
    await replaceVerified(text, directory, environment, signal);
  }
  return written;
}

async function lookAround(
  asked: EdgeSpec,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<EdgeHere> {
  const own = await findEdge(environment);
  const certificates = await acceptedCertificates(directory);
  const addresses = new Set(asked.sites.map(({ domain }) => domain).filter((domain) => isIP(domain) !== 0));
  const hasAddress = certificates.some(({ name }) => addresses.has(name));
  const before = parseEdgeConfig((await readText(directory)) ?? '');
  const hasLooked = own.length > 0 && before?.here.looks === true;
  return {
    ...(await bindable(asked, own, signal)),
    hasIpv6: await hasIpv6(),
    onions: await publicOnions(asked, environment),
    hasAddress,
    looks: hasLooked || needsLook(asked, hasAddress, own.length > 0 && (await hasChallenge(directory))),
  };
}

/** Everything that the configuration reads; `false` when something of it was not there, or another. */
async function writeReadFiles(
  asked: EdgeSpec,
  here: EdgeHere,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const owned = ownedBy(environment);
  const lists = await renderCertificateLists(directory, environment, signal);
  const files = new Map([...edgeMaps(asked, here), ...deviceFiles(asked), ...insideMaps(asked), ...lists]);
  for (const [name, text] of await strictMap(asked, directory, environment)) files.set(name, text);
  for (const [name, text] of await onionNames(asked, environment)) files.set(name, text);
  await ensureClients(directory, environment);
  if (asked.authority !== undefined) await ensureHandoutRun(environment);
  await ensureChallengeFiles((await findOneOfEdge(environment)) === undefined, directory, environment);
  let isReady = true;
  for (const [name, text] of files) {
    const file = join(directory.base, name);
    if ((await readPlain(file))?.toString() === text) continue;
    isReady = false;
    await writeFileAtomic(file, text, owned);
  }
  return isReady;
}

/** Somebody changed by hand what HAProxy is to read at its next start, or a certificate on disk is damaged or gone. */
export async function areFilesOthers(
  { asked, here }: EdgeConfig,
  directory: EdgeDirectory,
): Promise<boolean> {
  const files = [
    ...edgeMaps(asked, here),
    ...deviceFiles(asked),
    ...insideMaps(asked),
    ...listTexts(await acceptedCertificates(directory)),
  ];
  for (const [name, text] of files) {
    if ((await readPlain(join(directory.base, name)))?.toString() !== text) return true;
  }
  return false;
}

/**
 * HAProxy itself must accept the new configuration, as its own user, before it replaces the old one. Its
 * certificates it accepted before, each of them; to read a thousand takes seconds.
 */
async function replaceVerified(
  text: string,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const owned = ownedBy(environment);
  const draft = join(directory.base, 'haproxy.cfg.new');
  await writeFileAtomic(join(directory.base, NO_CERTIFICATES), '', owned);
  await writeFileAtomic(draft, withoutCertificates(text), owned);
  const argv = ['haproxy', '-c', '-f', `${edgeConfigFile(environment)}.new`] as const;
  const { stderr, exitCode } = await run([...asUser(environment.edge), ...argv], {
    signal,
    cwd: '/',
    accept: [0, 1],
  });
  if (exitCode !== 0) throw rejected(stderr);
  await writeFileAtomic(draft, text, owned);
  try {
    await rename(draft, join(directory.base, 'haproxy.cfg'));
    await syncDirectory(directory.base);
  } catch (error) {
    throw fileError("HAProxy's configuration could not be replaced", error);
  }
}

/** Stands in for the certificates of names. */
const NO_CERTIFICATES = 'none.list';

/** The same configuration, for a check of the rest. */
function withoutCertificates(text: string): string {
  return text.replaceAll(` crt-list ${CERTIFICATE_LIST} `, ` crt-list ${NO_CERTIFICATES} `);
}

function rejected(output: string): GatewayError {
  return new GatewayError(
    `HAProxy does not accept its new configuration, so the old one stays: ${complaintOf(output)}`,
    { code: 'EdgeUnavailable', hint: 'HAProxy 2.6 or later is needed: haproxy -v' },
  );
}

export function renderAgain({ asked, here }: EdgeConfig, { paths }: HelperEnvironment): string {
  return renderEdgeConfig(asked, here, paths);
}

export async function readText(directory: EdgeDirectory): Promise<string | undefined> {
  return (await readPlain(join(directory.base, 'haproxy.cfg')))?.toString();
}
