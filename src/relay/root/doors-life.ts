import { join } from 'node:path';
import { GatewayError } from '../../core/errors.ts';
import { inEdgeDirectory } from '../../helper/edge-directory.ts';
import { endEdge, findOneOfEdge, reloadEdge, startEdge } from '../../helper/edge-process.ts';
import { askEdge, tellEdge } from '../../helper/edge-socket.ts';
import type { HelperEnvironment } from '../../helper/environment.ts';
import { writeFileAtomic } from '../../system/files.ts';
import {
  type DoorsConfig,
  mapCommands,
  NAMES_MAP,
  parseShownMap,
  REFUSE_LUA,
  REFUSE_PROGRAM,
} from './doors.ts';

/** HAProxy takes 16 KB at once. */
const COMMANDS_AT_ONCE = 12_000;

/**
 * HAProxy runs with this configuration and these names. A name comes and goes while it runs; a connection that stands is
 * never touched. The file is for its next start.
 */
export async function ensureDoors(
  { text, hash }: DoorsConfig,
  names: ReadonlyMap<string, string>,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await inEdgeDirectory(environment, async (directory) => {
    const owned = { mode: 0o640, owner: { uid: process.getuid?.() ?? 0, gid: environment.edge.gid } };
    const lines = [...names].map(([name, home]) => `${name} ${home}\n`).join('');
    await writeFileAtomic(join(directory.base, NAMES_MAP), lines, owned);
    const isRunning = (await findOneOfEdge(environment)) !== undefined;
    const answer = isRunning ? await askEdge(environment, signal).catch(unlessAborted) : undefined;
    if (answer?.loadedHash === hash) return syncNames(names, environment, signal);
    await writeFileAtomic(join(directory.base, REFUSE_LUA), REFUSE_PROGRAM, owned);
    await writeFileAtomic(join(directory.base, 'haproxy.cfg'), text, owned);
    if (answer !== undefined) return reloadEdge(hash, environment, directory, signal);
    await endEdge(environment, signal);
    return startEdge(hash, environment, directory, signal);
  });
}

async function syncNames(
  names: ReadonlyMap<string, string>,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const shown = parseShownMap(await tellEdge(environment, `show map ${NAMES_MAP}`, signal));
  let batch: string[] = [];
  const send = async (): Promise<void> => {
    if (batch.length === 0) return;
    const said = await tellEdge(environment, batch.join(';'), signal);
    batch = [];
    if (said.trim() !== '') throw refused(said.trim());
  };
  for (const command of mapCommands(shown, names)) {
    if (batch.join(';').length + command.length > COMMANDS_AT_ONCE) await send();
    batch.push(command);
  }
  await send();
}

function refused(said: string): GatewayError {
  return new GatewayError(`HAProxy refused a change of names: ${said.slice(0, 300)}`, {
    code: 'EdgeUnavailable',
  });
}

/** One that hangs, or ended, is made anew. */
function unlessAborted(error: unknown): undefined {
  if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
  return undefined;
}
